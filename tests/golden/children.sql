-- A few children made by hand, as landing and linking leave them. The reporting date is 24 November 2026, so the look-back is
-- from 25 May 2026. What the lists must say of them is in list_1.csv and list_2.csv.
insert into landing.delivery (
    delivery_id, partnership, organisation, feed, contract_version, name, content_sha256, period_key, reference_on, status,
    rows_in, rows_loaded, rows_quarantined
)
select
    id, 'hertfordshire', organisation, feed, '1', feed || id, repeat(to_hex(id), 64), period, reference_on::date, status, 0, 0, 0
from (values
    (1, 'council', 'sen2', '2026', '2026-01-15', 'accepted'),
    (2, 'council', 'school_census', '2026_spring', '2026-01-15', 'accepted'),
    (3, 'council', 'school_census', '2026_summer', '2026-05-21', 'accepted'),
    (4, 'council', 'school_census', '2026_autumn', '2026-10-01', 'accepted'),
    (5, 'council', 'cin_census', '2026', '2026-03-31', 'accepted'),
    (6, 'council', 'ssda903', '2026', '2026-03-31', 'accepted'),
    (7, 'council', 'ehe_register', '2026_autumn', '2026-10-01', 'accepted'),
    (8, 'icb', 'csds', '2026', '2026-10-31', 'accepted'),
    (9, 'reference', 'gias', '2026-11', '2026-11-01', 'accepted'),
    (10, 'council', 'school_census', '2026_autumn', '2026-10-01', 'superseded'),
    (11, 'reference', 'postcode_lookup', '2025-08', '2025-08-01', 'accepted'),
    (12, 'reference', 'postcode_lookup', '2026-08', '2026-08-01', 'accepted')
) as delivery (id, organisation, feed, period, reference_on, status);

insert into audit.run (run_id, partnership, as_of, mode, code_version, manifest_sha256, status)
values ('r1', 'hertfordshire', '2026-11-24', 'full', 'x', 'x', 'open');
insert into audit.run_delivery select 'r1', id from generate_series(1, 12) as id where id <> 10;
insert into audit.run_key values ('r1', 'marts', 'marts-2');

insert into identity.person
select name, 'hertfordshire', 'r1' from unnest('{anna,ben,cara,dev,ella,gita,hugo,ivy}'::text[]) as name;
insert into identity.child_key
select partnership, person_id, 'marts', key_id, encode(sha256(convert_to(key_id || ':' || person_id, 'UTF8')), 'hex')
from identity.person, unnest('{marts-1,marts-2}'::text[]) as key_id;
insert into identity.link (delivery_id, row_number, feed, table_name, person_id, method, score, explanation)
select delivery_id, row_number, split_part(table_name, '__', 1), table_name, person_id, 'exact', 1, 'made by hand'
from (values
    (1, 2, 'sen2__person', 'anna'), (1, 3, 'sen2__person', 'ben'), (1, 4, 'sen2__person', 'cara'), (1, 5, 'sen2__person', 'dev'),
    (2, 2, 'school_census__pupilonroll', 'ella'), (2, 3, 'school_census__pupilonroll', 'ben'),
    (3, 2, 'school_census__pupilonroll', 'ella'), (3, 3, 'school_census__pupilonroll', 'gita'),
    (4, 2, 'school_census__pupilonroll', 'anna'), (4, 3, 'school_census__pupilonroll', 'ben'),
    (4, 4, 'school_census__pupilonroll', 'ben'), (4, 5, 'school_census__pupilonroll', 'dev'),
    (4, 6, 'school_census__pupilonroll', 'ella'), (4, 7, 'school_census__pupilonroll', 'gita'),
    (4, 8, 'school_census__pupilonroll', 'ivy'), (4, 9, 'school_census__pupilonroll', 'ivy'), (10, 2, 'school_census__pupilonroll', 'hugo'),
    (5, 1, 'cin_census__child', 'anna'), (5, 2, 'cin_census__child', 'ella'), (5, 3, 'cin_census__child', 'dev'),
    (6, 2, 'ssda903__header', 'anna'), (6, 3, 'ssda903__episodes', 'ivy'),
    (7, 2, 'ehe_register__child', 'ben'), (8, 2, 'csds__cyp001mpi', 'ben')
) as link (delivery_id, row_number, table_name, person_id);

-- SEN2. Anna: everything. Ben: no UPN, sex or ethnicity that the lists know; a plan from before the return. Cara: educated at
-- home. Dev: a plan that ceased.
insert into raw_council.sen2__person (
    persontableid, sen2tableid, surname, forename, personbirthdate, sex, ethnicity, postcode, upn, uniquelearnernumber,
    _delivery_id, _row_number
)
values
('p1', 's1', 'Ash', 'Anna', '2012-02-29', 'F', 'WBRI', 'SG1 1AA', 'A123456789001', '1234567890', 1, 2),
('p2', 's1', 'Birch', 'Ben', '2010-09-01', null, 'XXXX', null, null, null, 1, 3),
('p3', 's1', 'Cedar', 'Cara', '2015-03-03', '9', null, 'ZZ9 9ZZ', 'A123456789003', null, 1, 4),
('p4', 's1', 'Daw', 'Dev', '2013-04-04', '1', 'REFU', 'SG1 1AA', 'A123456789004', null, 1, 5);
insert into raw_council.sen2__requests (requeststableid, persontableid, requestoutcome, _delivery_id, _row_number)
values ('q1', 'p1', 'Y', 1, 2), ('q2', 'p2', 'H', 1, 3), ('q3', 'p3', 'Y', 1, 4), ('q4', 'p4', 'H', 1, 5);
insert into raw_council.sen2__assessment (
    assessmenttableid, requeststableid, assessmentoutcome, assessmentoutcomedate, _delivery_id, _row_number
)
values
('m1', 'q1', 'Y', '2023-05-10', 1, 2), ('m2', 'q2', 'H', null, 1, 3), ('m3', 'q3', 'Y', '2025-11-01', 1, 4), ('m4', 'q4', 'H', null, 1, 5);
insert into raw_council.sen2__namedplan (namedplantableid, assessmenttableid, startdate, ceasedate, _delivery_id, _row_number)
values
('n1', 'm1', '2023-05-10', '2024-09-01', 1, 2), ('n2', 'm1', '2024-09-01', null, 1, 3),
('n3', 'm2', '2019-02-01', null, 1, 4), ('n4', 'm3', '2025-11-02', '2026-11-25', 1, 5), ('n5', 'm4', '2018-01-01', '2026-11-24', 1, 6);
insert into raw_council.sen2__activeplans (activeplanstableid, requeststableid, lastreview, _delivery_id, _row_number)
values ('v1', 'q1', '2025-06-01', 1, 2), ('v2', 'q2', '2025-12-31', 1, 3), ('v3', 'q3', null, 1, 4), ('v4', 'q4', '2025-01-01', 1, 5);
insert into raw_council.sen2__placementdetail (
    placementdetailtableid, activeplanstableid, urn, sensetting, placementrank, entrydate, leavingdate, _delivery_id, _row_number
)
values
('d1', 'v1', '100001', null, 1, '2020-09-01', '2024-08-31', 1, 2), ('d2', 'v1', '100002', null, 1, '2024-09-01', null, 1, 3),
('d3', 'v1', '100003', null, 2, '2025-09-01', null, 1, 4), ('d4', 'v3', null, 'EHE', 1, '2025-11-02', null, 1, 5);
insert into raw_council.sen2__senneed (senneedtableid, activeplanstableid, sentype, sentyperank, _delivery_id, _row_number)
values
('e1', 'v1', 'SLCN', 2, 1, 2), ('e2', 'v1', 'DS', 1, 1, 3), ('e3', 'v2', 'MLD', 1, 1, 4), ('e4', 'v3', 'SPLD', 1, 1, 5),
('e5', 'v3', 'HI', 2, 1, 6), ('e6', 'v4', 'ASD', 1, 1, 7);

-- School census. Ben is at two schools and has no sessions since spring. Dev is SEN support now. Ella moved to a pupil referral
-- unit. Gita was SEN support until summer. Ivy's only row with SEN support is her second school's. Hugo came in a file replaced since.
insert into raw_council.school_census__school (schoolcensustableid, nativeid, urn, _delivery_id, _row_number)
select delivery_id || '-' || school, school, urn, delivery_id, row_number
from (values ('one', '100001', 2), ('two', '100002', 3), ('pru', '100003', 4)) as school (school, urn, row_number),
    unnest('{2,3,4,10}'::bigint[]) as delivery_id;
insert into raw_council.school_census__pupilonroll (
    pupilonrolltableid, nativeid, upn, uniquelearnernumber, dob, sex, ethnicity, entrydate, enrolstatus, senprovision, pupilpremium,
    termlysessionspossible, termlysessionsauthorised, termlysessionsunauthorised, _delivery_id, _row_number
)
values
('c1', 'one', 'A123456789005', null, '2016-05-05', 'F', 'BCRB', '2020-09-01', 'C', 'K', true, 100, 1, 1, 2, 2),
('c2', 'one', 'A123456789002', null, '2010-09-01', 'M', 'AIND', '2021-09-01', 'C', 'E', false, 130, 13, 0, 2, 3),
('c1', 'one', 'A123456789005', null, '2016-05-05', 'F', 'BCRB', '2020-09-01', 'C', 'K', true, 100, 90, 0, 3, 2),
('c3', 'one', 'A123456789006', null, '2014-06-06', 'F', 'WIRI', '2019-09-01', 'C', 'K', true, 100, 0, 0, 3, 3),
('c4', 'two', 'A123456789001', null, '2012-02-29', 'F', 'WIRI', '2024-09-01', 'C', 'E', true, 160, 6, 4, 4, 2),
('c5', 'two', 'A123456789002', '2345678901', '2010-09-01', 'M', 'AIND', '2021-09-01', 'M', 'E', true, 0, 0, 0, 4, 3),
('c6', 'pru', 'A123456789002', '2345678901', '2010-09-01', 'M', 'AIND', '2026-02-01', 'S', 'E', false, null, null, null, 4, 4),
('c7', 'one', 'A123456789004', null, '2013-04-04', 'M', 'REFU', '2019-09-01', 'C', 'K', null, 120, 0, 12, 4, 5),
('c8', 'pru', 'A123456789005', null, '2016-05-05', 'F', 'BCRB', '2026-09-01', 'C', 'K', false, 70, 2, 5, 4, 6),
('c9', 'one', 'A123456789006', null, '2014-06-06', 'F', 'WIRI', '2019-09-01', 'C', 'N', true, 100, 0, 0, 4, 7),
('c10', 'one', 'A123456789007', null, '2014-07-07', 'F', 'WIRI', '2019-09-01', 'S', 'K', null, 100, 0, 0, 4, 8),
('c12', 'two', 'A123456789007', null, '2014-07-07', 'F', 'WIRI', '2019-09-01', 'M', 'N', null, 100, 0, 0, 4, 9),
('c11', 'one', 'A123456789008', null, '2014-08-08', 'M', 'WIRI', '2019-09-01', 'C', 'K', null, 100, 0, 0, 10, 2);
insert into raw_council.school_census__senneeds (pupilonrolltableid, nativeid, sentype, sentyperank, _delivery_id, _row_number)
values ('c1', 'one', 'SEMH', 1, 2, 2), ('c1', 'one', 'SLCN', 2, 2, 3), ('c1', 'one', 'PD', 2, 3, 2), ('c7', 'one', 'NSA', 1, 4, 2);
insert into raw_council.school_census__termlyexclusionsonroll (
    pupilonrolltableid, nativeid, startdate, category, _delivery_id, _row_number
)
values
('c4', 'two', '2026-05-24', 'SUSP', 4, 2), ('c4', 'two', '2026-05-25', 'SUSP', 4, 3), ('c4', 'two', '2026-06-30', 'LNCH', 4, 4),
('c1', 'one', '2026-06-01', 'FIXD', 3, 2), ('c8', 'pru', '2026-06-01', 'SUSP', 4, 5), ('c8', 'pru', '2026-11-24', 'PERM', 4, 6),
('c8', 'pru', '2026-11-25', 'PERM', 4, 7);

-- Children's social care. Anna is looked after, Ella is on a plan, Dev's referral came to nothing but names a disability; Ivy is in care
-- without a header row.
insert into raw_council.cin_census__child (childtableid, lachildid, _delivery_id, _row_number)
values ('k1', 'L1', 5, 1), ('k2', 'L2', 5, 2), ('k3', 'L3', 5, 3);
insert into raw_council.cin_census__disability (childtableid, disability, _delivery_id, _row_number)
values ('k1', 'NONE', 5, 1), ('k2', 'NONE', 5, 2), ('k3', 'MOB', 5, 3);
insert into raw_council.cin_census__cindetails (
    cindetailstableid, childtableid, cinreferraldate, cinclosuredate, referralnfa, _delivery_id, _row_number
)
values ('g1', 'k1', '2025-01-01', null, false, 5, 1), ('g2', 'k2', '2025-01-01', null, null, 5, 2), ('g3', 'k3', '2026-01-01', null, true, 5, 3);
insert into raw_council.cin_census__childprotectionplan (
    childprotectionplantableid, cindetailstableid, cppstartdate, cppenddate, _delivery_id, _row_number
)
values ('h1', 'g2', '2025-02-01', null, 5, 1);
insert into raw_council.ssda903__header (child, _delivery_id, _row_number) values ('L1', 6, 2);
insert into raw_council.ssda903__episodes (child, decom, dec, _delivery_id, _row_number)
values ('L1', '2025-03-01', null, 6, 2), ('L9', '2025-03-01', null, 6, 3), ('L9', '2026-03-01', null, 6, 4);
insert into raw_council.ehe_register__child (ehe_id, ehe_start_on, ehe_end_on, _delivery_id, _row_number)
values ('x1', '2026-09-01', null, 7, 2);

-- Community health: one open referral of Ben's that was submitted twice, one that every team rejected.
insert into raw_icb.csds__cyp001mpi (
    local_patient_identifier_extended, organisation_identifier_code_of_provider, effective_from, _delivery_id, _row_number
)
values ('z1', 'RY4', '2026-01-01', 8, 2);
insert into raw_icb.csds__cyp101referral (
    service_request_identifier, local_patient_identifier_extended, organisation_identifier_code_of_provider,
    referral_request_received_date, service_discharge_date, effective_from, _delivery_id, _row_number
)
values
('f1', 'z1', 'RY4', '2026-01-01', '2026-02-01', '2026-02-01', 8, 2), ('f1', 'z1', 'RY4', '2026-01-01', null, '2026-03-01', 8, 3),
('f2', 'z1', 'RY4', '2026-01-01', null, '2026-02-01', 8, 4);
insert into raw_icb.csds__cyp102servicetypereferredto (
    service_request_identifier, organisation_identifier_code_of_provider, service_or_team_type_referred_to_community_care,
    referral_rejection_date, effective_from, _delivery_id, _row_number
)
values
('f1', 'RY4', '01', '2026-02-01', '2026-02-01', 8, 2), ('f1', 'RY4', '02', null, '2026-02-01', 8, 3),
('f2', 'RY4', '01', '2026-02-01', '2026-02-01', 8, 4);
insert into raw_icb.csds__cyp201carecontact (
    care_contact_identifier, service_request_identifier, organisation_identifier_code_of_provider, care_contact_date,
    attended_or_did_not_attend_code, effective_from, _delivery_id, _row_number
)
values ('w1', 'f1', 'RY4', '2026-05-01', '3', '2026-05-01', 8, 2);

insert into raw_reference.gias__establishment (
    urn, typeofestablishment_name, phaseofeducation_name, districtadministrative_name, _delivery_id, _row_number
)
values
('100001', 'Community school', 'Primary', 'Stevenage', 9, 2), ('100002', 'Academy special converter', 'Not applicable', 'Dacorum', 9, 3),
('100003', 'Pupil referral unit', 'Not applicable', 'Watford', 9, 4);

-- Homes. Anna's district was another one a year ago; Ben's is in the census only; Cara's postcode is in no directory; Dev, on List 2, has
-- moved by the census; Ella's postcode is listed twice.
update raw_council.school_census__pupilonroll set postcode = home.postcode
from (values ('A123456789001', 'hp1 1zz'), ('A123456789002', 'hp11aa'), ('A123456789004', 'WD17 1AA'), ('A123456789005', 'WD17 1AA')) as home (upn, postcode)
where school_census__pupilonroll.upn = home.upn;
insert into raw_reference.postcode_lookup__postcode (pcds, oslaua, _delivery_id, _row_number)
values
('SG1 1AA', 'E07000099', 11, 2),
('SG1 1AA', 'E07000243', 12, 2), ('HP1 1AA', 'E07000096', 12, 3), ('HP1 1ZZ', 'E07000096', 12, 4), ('WD17 1AA', 'E07000103', 12, 5),
('WD17 1AA', 'E07000098', 12, 6);
