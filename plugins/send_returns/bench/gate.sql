-- Every rule of the gate by hand, in one statement: (rule, failing rows, rows checked). The gate is measured against it.
with
active_plans as materialized (
    select person_id
    from (
        select distinct on (link.person_id) link.person_id, plan.ceasedate
        from audit.run_delivery as manifest
        inner join raw_council.sen2__person as person on person._delivery_id = manifest.delivery_id
        inner join identity.link as link
            on link.delivery_id = person._delivery_id
            and link.table_name = 'sen2__person' and link.row_number = person._row_number
        inner join raw_council.sen2__requests as request
            on request._delivery_id = person._delivery_id and request.persontableid = person.persontableid
        inner join raw_council.sen2__assessment as assessment
            on assessment._delivery_id = person._delivery_id and assessment.requeststableid = request.requeststableid
        inner join raw_council.sen2__namedplan as plan
            on plan._delivery_id = person._delivery_id and plan.assessmenttableid = assessment.assessmenttableid
        where manifest.run_id = %(run_id)s and plan.startdate <= %(as_of)s
        order by link.person_id, plan.startdate desc, plan.ceasedate desc nulls first
    ) as latest_plan
    where ceasedate is null or ceasedate > %(as_of)s
),

sen_support as materialized (
    select person_id
    from (
        select distinct on (link.person_id) link.person_id, pupil.senprovision
        from (
            select delivery.delivery_id, rank() over (order by delivery.reference_on desc) as recency
            from audit.run_delivery as manifest
            inner join landing.delivery as delivery on delivery.delivery_id = manifest.delivery_id
            where manifest.run_id = %(run_id)s
                and delivery.feed = 'school_census'
                and delivery.reference_on <= %(as_of)s
        ) as census
        inner join raw_council.school_census__pupilonroll as pupil on pupil._delivery_id = census.delivery_id
        inner join identity.link as link
            on link.delivery_id = pupil._delivery_id
            and link.table_name = 'school_census__pupilonroll' and link.row_number = pupil._row_number
        left join raw_council.school_census__school as school
            on school._delivery_id = pupil._delivery_id and school.nativeid = pupil.nativeid
        where census.recency = 1 and pupil.enrolstatus in ('C', 'M', 'F', 'O', 'S')
        order by link.person_id, position(pupil.enrolstatus in 'CMFOS'), pupil.entrydate desc nulls last, school.urn
    ) as main_row
    where senprovision = 'K'
),

person_rows as materialized (
    select _delivery_id as delivery_id, 'sen2__person' as table_name, _row_number as row_number
    from raw_council.sen2__person
    where _delivery_id in (select delivery_id from audit.run_delivery where run_id = %(run_id)s)
    union all
    select _delivery_id as delivery_id, 'school_census__pupilonroll' as table_name, _row_number as row_number
    from raw_council.school_census__pupilonroll
    where _delivery_id in (select delivery_id from audit.run_delivery where run_id = %(run_id)s)
    union all
    select _delivery_id as delivery_id, 'ap_census__pupil' as table_name, _row_number as row_number
    from raw_council.ap_census__pupil
    where _delivery_id in (select delivery_id from audit.run_delivery where run_id = %(run_id)s)
    union all
    select _delivery_id as delivery_id, 'cin_census__child' as table_name, _row_number as row_number
    from raw_council.cin_census__child
    where _delivery_id in (select delivery_id from audit.run_delivery where run_id = %(run_id)s)
    union all
    select _delivery_id as delivery_id, 'ssda903__header' as table_name, _row_number as row_number
    from raw_council.ssda903__header
    where _delivery_id in (select delivery_id from audit.run_delivery where run_id = %(run_id)s)
    union all
    select _delivery_id as delivery_id, 'ehe_register__child' as table_name, _row_number as row_number
    from raw_council.ehe_register__child
    where _delivery_id in (select delivery_id from audit.run_delivery where run_id = %(run_id)s)
    union all
    select _delivery_id as delivery_id, 'ehc_casework__case' as table_name, _row_number as row_number
    from raw_council.ehc_casework__case
    where _delivery_id in (select delivery_id from audit.run_delivery where run_id = %(run_id)s)
    union all
    select _delivery_id as delivery_id, 'ehc_casework__advice' as table_name, _row_number as row_number
    from raw_council.ehc_casework__advice
    where _delivery_id in (select delivery_id from audit.run_delivery where run_id = %(run_id)s)
    union all
    select _delivery_id as delivery_id, 'part_time_timetables__timetable' as table_name, _row_number as row_number
    from raw_council.part_time_timetables__timetable
    where _delivery_id in (select delivery_id from audit.run_delivery where run_id = %(run_id)s)
    union all
    select _delivery_id as delivery_id, 'short_breaks__request' as table_name, _row_number as row_number
    from raw_council.short_breaks__request
    where _delivery_id in (select delivery_id from audit.run_delivery where run_id = %(run_id)s)
    union all
    select _delivery_id as delivery_id, 'short_breaks__package' as table_name, _row_number as row_number
    from raw_council.short_breaks__package
    where _delivery_id in (select delivery_id from audit.run_delivery where run_id = %(run_id)s)
    union all
    select _delivery_id as delivery_id, 'disputes__complaint' as table_name, _row_number as row_number
    from raw_council.disputes__complaint
    where _delivery_id in (select delivery_id from audit.run_delivery where run_id = %(run_id)s)
    union all
    select _delivery_id as delivery_id, 'disputes__mediation' as table_name, _row_number as row_number
    from raw_council.disputes__mediation
    where _delivery_id in (select delivery_id from audit.run_delivery where run_id = %(run_id)s)
    union all
    select _delivery_id as delivery_id, 'disputes__appeal' as table_name, _row_number as row_number
    from raw_council.disputes__appeal
    where _delivery_id in (select delivery_id from audit.run_delivery where run_id = %(run_id)s)
    union all
    select _delivery_id as delivery_id, 'disputes__ombudsman' as table_name, _row_number as row_number
    from raw_council.disputes__ombudsman
    where _delivery_id in (select delivery_id from audit.run_delivery where run_id = %(run_id)s)
    union all
    select _delivery_id as delivery_id, 'contact_log__enquiry' as table_name, _row_number as row_number
    from raw_council.contact_log__enquiry
    where _delivery_id in (select delivery_id from audit.run_delivery where run_id = %(run_id)s)
    union all
    select _delivery_id as delivery_id, 'plan_audit__audit' as table_name, _row_number as row_number
    from raw_council.plan_audit__audit
    where _delivery_id in (select delivery_id from audit.run_delivery where run_id = %(run_id)s)
    union all
    select _delivery_id as delivery_id, 'post16__participation' as table_name, _row_number as row_number
    from raw_council.post16__participation
    where _delivery_id in (select delivery_id from audit.run_delivery where run_id = %(run_id)s)
    union all
    select _delivery_id as delivery_id, 'csds__cyp001mpi' as table_name, _row_number as row_number
    from raw_icb.csds__cyp001mpi
    where _delivery_id in (select delivery_id from audit.run_delivery where run_id = %(run_id)s)
    union all
    select _delivery_id as delivery_id, 'mhsds__mhs001mpi' as table_name, _row_number as row_number
    from raw_icb.mhsds__mhs001mpi
    where _delivery_id in (select delivery_id from audit.run_delivery where run_id = %(run_id)s)
    union all
    select _delivery_id as delivery_id, 'health_advice__advice' as table_name, _row_number as row_number
    from raw_icb.health_advice__advice
    where _delivery_id in (select delivery_id from audit.run_delivery where run_id = %(run_id)s)
    union all
    select _delivery_id as delivery_id, 'health_advice__notification' as table_name, _row_number as row_number
    from raw_icb.health_advice__notification
    where _delivery_id in (select delivery_id from audit.run_delivery where run_id = %(run_id)s)
    union all
    select _delivery_id as delivery_id, 'dynamic_support_register__register' as table_name, _row_number as row_number
    from raw_icb.dynamic_support_register__register
    where _delivery_id in (select delivery_id from audit.run_delivery where run_id = %(run_id)s)
    union all
    select _delivery_id as delivery_id, 'nhs_number_trace__trace' as table_name, _row_number as row_number
    from raw_icb.nhs_number_trace__trace
    where _delivery_id in (select delivery_id from audit.run_delivery where run_id = %(run_id)s)
),

list_1_flags as (
    select
        (date_of_birth_on is null) as f101a,
        (gender is null) as f101b,
        (ethnicity is null) as f101c,
        (sen_primary_need is null) as f101d,
        (date_of_birth_on + interval '25 years' < %(as_of)s
            and date_of_birth_on + interval '26 years' > %(as_of)s) as f102a,
        (date_of_birth_on + interval '26 years' < %(as_of)s) as f102b,
        (disability is null) as f103,
        (date_of_birth_on > %(as_of)s) as f105a,
        (initial_plan_issued_on > %(as_of)s) as f105b,
        (updated_plan_issued_on > %(as_of)s) as f105c,
        (plan_last_reviewed_on > %(as_of)s) as f105d,
        (initial_plan_issued_on > updated_plan_issued_on) as f106a,
        (initial_plan_issued_on > plan_last_reviewed_on) as f106b,
        (date_of_birth_on + interval '6 years' < %(as_of)s and upn is null and uln is null) as f107,
        (date_of_birth_on + interval '5 years' < %(as_of)s
        and date_of_birth_on + interval '16 years' > %(as_of)s
        and main_establishment_urn is null
        and subsidiary_establishment_phase is null) as f108a,
        (date_of_birth_on + interval '5 years' < %(as_of)s
        and date_of_birth_on + interval '16 years' > %(as_of)s
        and main_establishment_urn is null
        and subsidiary_establishment_phase is not null) as f108b,
        (upn is not null and count(*) over (partition by upper(trim(upn))) > 1) as f109,
        (upper(trim(gender)) not in (
            'A) MALE', 'B) FEMALE', 'C) NOT KNOWN', 'D) NOT SPECIFIED'
        )) as f110a,
        (upper(trim(ethnicity)) not in (
            'A) WBRI', 'B) WIRI', 'C) WIRT', 'D) WOTH', 'E) WROM', 'F) MWBC', 'G) MWBA', 'H) MWAS', 'I) MOTH',
            'J) AIND', 'K) APKN', 'L) ABAN', 'M) AOTH', 'N) BCRB', 'O) BAFR', 'P) BOTH', 'Q) CHNE', 'R) OOTH',
            'S) REFU', 'T) NOBT', 'U) UNKNOWN'
        )) as f110b,
        (upper(trim(sen_primary_need)) not in (
            'A) SPLD', 'B) MLD', 'C) SLD', 'D) PMLD', 'E) SEMH', 'F) SLCN', 'G) HI', 'H) VI', 'I) MSI', 'J) PD',
            'K) ASD', 'L) OTH'
        )) as f110c,
        (upper(trim(main_establishment_phase)) not in (
            'A) NURSERY', 'B) PRIMARY', 'C) MIDDLE (DEEMED PRIMARY)', 'D) MIDDLE (DEEMED SECONDARY)',
            'E) SECONDARY', 'F) ALL-THROUGH', 'G) SPECIAL', 'H) PUPIL REFERRAL UNIT/ALTERNATIVE PROVISION',
            'I) FE COLLEGE'
        )) as f110d,
        (upper(trim(subsidiary_establishment_phase)) not in (
            'A) NURSERY', 'B) PRIMARY', 'C) MIDDLE (DEEMED PRIMARY)', 'D) MIDDLE (DEEMED SECONDARY)',
            'E) SECONDARY', 'F) ALL-THROUGH', 'G) SPECIAL', 'H) PUPIL REFERRAL UNIT/ALTERNATIVE PROVISION',
            'I) FE COLLEGE'
        )) as f110e,
        (upper(trim(elective_home_education)) not in (
            'A) YES', 'B) NO'
        )) as f110f,
        (upper(trim(pupil_premium)) not in (
            'A) YES', 'B) NO'
        )) as f110g,
        (upper(trim(known_to_social_care)) not in (
            'A) YES', 'B) NO'
        )) as f110h,
        (upper(trim(disability)) not in (
            'A) YES', 'B) NO'
        )) as f110i,
        (unique_id is null or count(*) over (partition by upper(trim(unique_id))) > 1) as f120,
        (upper(trim(unique_id)) in (select upper(trim(unique_id)) from return_annex_a__list_2)
        or upper(trim(upn)) in (select upper(trim(upn)) from return_annex_a__list_2)) as f121,
        (person_id is null
        or count(*) over (partition by person_id) > 1
        or person_id in (select person_id from return_annex_a__list_2)) as f122,
        (person_id not in (select person_id from active_plans)) as f123
    from return_annex_a__list_1
),

list_1_counts as (
    select
        count(*) as checked_rows,
        count(*) filter (where f101a) as f101a,
        count(*) filter (where f101b) as f101b,
        count(*) filter (where f101c) as f101c,
        count(*) filter (where f101d) as f101d,
        count(*) filter (where f102a) as f102a,
        count(*) filter (where f102b) as f102b,
        count(*) filter (where f103) as f103,
        count(*) filter (where f105a) as f105a,
        count(*) filter (where f105b) as f105b,
        count(*) filter (where f105c) as f105c,
        count(*) filter (where f105d) as f105d,
        count(*) filter (where f106a) as f106a,
        count(*) filter (where f106b) as f106b,
        count(*) filter (where f107) as f107,
        count(*) filter (where f108a) as f108a,
        count(*) filter (where f108b) as f108b,
        count(*) filter (where f109) as f109,
        count(*) filter (where f110a) as f110a,
        count(*) filter (where f110b) as f110b,
        count(*) filter (where f110c) as f110c,
        count(*) filter (where f110d) as f110d,
        count(*) filter (where f110e) as f110e,
        count(*) filter (where f110f) as f110f,
        count(*) filter (where f110g) as f110g,
        count(*) filter (where f110h) as f110h,
        count(*) filter (where f110i) as f110i,
        count(*) filter (where f120) as f120,
        count(*) filter (where f121) as f121,
        count(*) filter (where f122) as f122,
        count(*) filter (where f123) as f123
    from list_1_flags
),

list_2_flags as (
    select
        (date_of_birth_on is null) as f201a,
        (gender is null) as f201b,
        (ethnicity is null) as f201c,
        (sen_primary_need is null) as f201d,
        (date_of_birth_on + interval '25 years' < %(as_of)s
            and date_of_birth_on + interval '26 years' > %(as_of)s) as f202a,
        (date_of_birth_on + interval '26 years' < %(as_of)s) as f202b,
        (disability is null) as f203,
        (date_of_birth_on > %(as_of)s) as f205a,
        (date_of_birth_on + interval '6 years' < %(as_of)s and upn is null and uln is null) as f207,
        (date_of_birth_on + interval '5 years' < %(as_of)s
        and date_of_birth_on + interval '16 years' > %(as_of)s
        and main_establishment_urn is null
        and subsidiary_establishment_phase is null) as f208a,
        (date_of_birth_on + interval '5 years' < %(as_of)s
        and date_of_birth_on + interval '16 years' > %(as_of)s
        and main_establishment_urn is null
        and subsidiary_establishment_phase is not null) as f208b,
        (upn is not null and count(*) over (partition by upper(trim(upn))) > 1) as f209,
        (upper(trim(gender)) not in (
            'A) MALE', 'B) FEMALE', 'C) NOT KNOWN', 'D) NOT SPECIFIED'
        )) as f210a,
        (upper(trim(ethnicity)) not in (
            'A) WBRI', 'B) WIRI', 'C) WIRT', 'D) WOTH', 'E) WROM', 'F) MWBC', 'G) MWBA', 'H) MWAS', 'I) MOTH',
            'J) AIND', 'K) APKN', 'L) ABAN', 'M) AOTH', 'N) BCRB', 'O) BAFR', 'P) BOTH', 'Q) CHNE', 'R) OOTH',
            'S) REFU', 'T) NOBT', 'U) UNKNOWN'
        )) as f210b,
        (upper(trim(sen_primary_need)) not in (
            'A) SPLD', 'B) MLD', 'C) SLD', 'D) PMLD', 'E) SEMH', 'F) SLCN', 'G) HI', 'H) VI', 'I) MSI', 'J) PD',
            'K) ASD', 'L) OTH'
        )) as f210c,
        (upper(trim(main_establishment_phase)) not in (
            'A) NURSERY', 'B) PRIMARY', 'C) MIDDLE (DEEMED PRIMARY)', 'D) MIDDLE (DEEMED SECONDARY)',
            'E) SECONDARY', 'F) ALL-THROUGH', 'G) SPECIAL', 'H) PUPIL REFERRAL UNIT/ALTERNATIVE PROVISION',
            'I) FE COLLEGE'
        )) as f210d,
        (upper(trim(subsidiary_establishment_phase)) not in (
            'A) NURSERY', 'B) PRIMARY', 'C) MIDDLE (DEEMED PRIMARY)', 'D) MIDDLE (DEEMED SECONDARY)',
            'E) SECONDARY', 'F) ALL-THROUGH', 'G) SPECIAL', 'H) PUPIL REFERRAL UNIT/ALTERNATIVE PROVISION',
            'I) FE COLLEGE'
        )) as f210e,
        (upper(trim(pupil_premium)) not in (
            'A) YES', 'B) NO'
        )) as f210g,
        (upper(trim(known_to_social_care)) not in (
            'A) YES', 'B) NO'
        )) as f210h,
        (upper(trim(disability)) not in (
            'A) YES', 'B) NO'
        )) as f210i,
        (unique_id is null or count(*) over (partition by upper(trim(unique_id))) > 1) as f220,
        (upper(trim(unique_id)) in (select upper(trim(unique_id)) from return_annex_a__list_1)
        or upper(trim(upn)) in (select upper(trim(upn)) from return_annex_a__list_1)) as f221,
        (person_id is null
        or count(*) over (partition by person_id) > 1
        or person_id in (select person_id from return_annex_a__list_1)) as f222,
        (person_id not in (select person_id from sen_support)) as f223
    from return_annex_a__list_2
),

list_2_counts as (
    select
        count(*) as checked_rows,
        count(*) filter (where f201a) as f201a,
        count(*) filter (where f201b) as f201b,
        count(*) filter (where f201c) as f201c,
        count(*) filter (where f201d) as f201d,
        count(*) filter (where f202a) as f202a,
        count(*) filter (where f202b) as f202b,
        count(*) filter (where f203) as f203,
        count(*) filter (where f205a) as f205a,
        count(*) filter (where f207) as f207,
        count(*) filter (where f208a) as f208a,
        count(*) filter (where f208b) as f208b,
        count(*) filter (where f209) as f209,
        count(*) filter (where f210a) as f210a,
        count(*) filter (where f210b) as f210b,
        count(*) filter (where f210c) as f210c,
        count(*) filter (where f210d) as f210d,
        count(*) filter (where f210e) as f210e,
        count(*) filter (where f210g) as f210g,
        count(*) filter (where f210h) as f210h,
        count(*) filter (where f210i) as f210i,
        count(*) filter (where f220) as f220,
        count(*) filter (where f221) as f221,
        count(*) filter (where f222) as f222,
        count(*) filter (where f223) as f223
    from list_2_flags
),

raw_rows as (
    select _delivery_id as delivery_id, 'assessment' as table_name, count(*) as row_count
    from raw_council.cin_census__assessment
    where _delivery_id in (select delivery_id from audit.run_delivery where run_id = %(run_id)s)
    group by 1
    union all
    select _delivery_id as delivery_id, 'assessmentfactor' as table_name, count(*) as row_count
    from raw_council.cin_census__assessmentfactor
    where _delivery_id in (select delivery_id from audit.run_delivery where run_id = %(run_id)s)
    group by 1
    union all
    select _delivery_id as delivery_id, 'child' as table_name, count(*) as row_count
    from raw_council.cin_census__child
    where _delivery_id in (select delivery_id from audit.run_delivery where run_id = %(run_id)s)
    group by 1
    union all
    select _delivery_id as delivery_id, 'childprotectionplan' as table_name, count(*) as row_count
    from raw_council.cin_census__childprotectionplan
    where _delivery_id in (select delivery_id from audit.run_delivery where run_id = %(run_id)s)
    group by 1
    union all
    select _delivery_id as delivery_id, 'cindetails' as table_name, count(*) as row_count
    from raw_council.cin_census__cindetails
    where _delivery_id in (select delivery_id from audit.run_delivery where run_id = %(run_id)s)
    group by 1
    union all
    select _delivery_id as delivery_id, 'cinplan' as table_name, count(*) as row_count
    from raw_council.cin_census__cinplan
    where _delivery_id in (select delivery_id from audit.run_delivery where run_id = %(run_id)s)
    group by 1
    union all
    select _delivery_id as delivery_id, 'cppreview' as table_name, count(*) as row_count
    from raw_council.cin_census__cppreview
    where _delivery_id in (select delivery_id from audit.run_delivery where run_id = %(run_id)s)
    group by 1
    union all
    select _delivery_id as delivery_id, 'disability' as table_name, count(*) as row_count
    from raw_council.cin_census__disability
    where _delivery_id in (select delivery_id from audit.run_delivery where run_id = %(run_id)s)
    group by 1
    union all
    select _delivery_id as delivery_id, 'header' as table_name, count(*) as row_count
    from raw_council.cin_census__header
    where _delivery_id in (select delivery_id from audit.run_delivery where run_id = %(run_id)s)
    group by 1
    union all
    select _delivery_id as delivery_id, 'section47' as table_name, count(*) as row_count
    from raw_council.cin_census__section47
    where _delivery_id in (select delivery_id from audit.run_delivery where run_id = %(run_id)s)
    group by 1
    union all
    select _delivery_id as delivery_id, 'child' as table_name, count(*) as row_count
    from raw_council.ehe_register__child
    where _delivery_id in (select delivery_id from audit.run_delivery where run_id = %(run_id)s)
    group by 1
    union all
    select _delivery_id as delivery_id, 'pupilonroll' as table_name, count(*) as row_count
    from raw_council.school_census__pupilonroll
    where _delivery_id in (select delivery_id from audit.run_delivery where run_id = %(run_id)s)
    group by 1
    union all
    select _delivery_id as delivery_id, 'school' as table_name, count(*) as row_count
    from raw_council.school_census__school
    where _delivery_id in (select delivery_id from audit.run_delivery where run_id = %(run_id)s)
    group by 1
    union all
    select _delivery_id as delivery_id, 'senneeds' as table_name, count(*) as row_count
    from raw_council.school_census__senneeds
    where _delivery_id in (select delivery_id from audit.run_delivery where run_id = %(run_id)s)
    group by 1
    union all
    select _delivery_id as delivery_id, 'termlyexclusionsonroll' as table_name, count(*) as row_count
    from raw_council.school_census__termlyexclusionsonroll
    where _delivery_id in (select delivery_id from audit.run_delivery where run_id = %(run_id)s)
    group by 1
    union all
    select _delivery_id as delivery_id, 'activeplans' as table_name, count(*) as row_count
    from raw_council.sen2__activeplans
    where _delivery_id in (select delivery_id from audit.run_delivery where run_id = %(run_id)s)
    group by 1
    union all
    select _delivery_id as delivery_id, 'assessment' as table_name, count(*) as row_count
    from raw_council.sen2__assessment
    where _delivery_id in (select delivery_id from audit.run_delivery where run_id = %(run_id)s)
    group by 1
    union all
    select _delivery_id as delivery_id, 'namedplan' as table_name, count(*) as row_count
    from raw_council.sen2__namedplan
    where _delivery_id in (select delivery_id from audit.run_delivery where run_id = %(run_id)s)
    group by 1
    union all
    select _delivery_id as delivery_id, 'person' as table_name, count(*) as row_count
    from raw_council.sen2__person
    where _delivery_id in (select delivery_id from audit.run_delivery where run_id = %(run_id)s)
    group by 1
    union all
    select _delivery_id as delivery_id, 'placementdetail' as table_name, count(*) as row_count
    from raw_council.sen2__placementdetail
    where _delivery_id in (select delivery_id from audit.run_delivery where run_id = %(run_id)s)
    group by 1
    union all
    select _delivery_id as delivery_id, 'plandetail' as table_name, count(*) as row_count
    from raw_council.sen2__plandetail
    where _delivery_id in (select delivery_id from audit.run_delivery where run_id = %(run_id)s)
    group by 1
    union all
    select _delivery_id as delivery_id, 'requests' as table_name, count(*) as row_count
    from raw_council.sen2__requests
    where _delivery_id in (select delivery_id from audit.run_delivery where run_id = %(run_id)s)
    group by 1
    union all
    select _delivery_id as delivery_id, 'sen2' as table_name, count(*) as row_count
    from raw_council.sen2__sen2
    where _delivery_id in (select delivery_id from audit.run_delivery where run_id = %(run_id)s)
    group by 1
    union all
    select _delivery_id as delivery_id, 'senneed' as table_name, count(*) as row_count
    from raw_council.sen2__senneed
    where _delivery_id in (select delivery_id from audit.run_delivery where run_id = %(run_id)s)
    group by 1
    union all
    select _delivery_id as delivery_id, 'episodes' as table_name, count(*) as row_count
    from raw_council.ssda903__episodes
    where _delivery_id in (select delivery_id from audit.run_delivery where run_id = %(run_id)s)
    group by 1
    union all
    select _delivery_id as delivery_id, 'header' as table_name, count(*) as row_count
    from raw_council.ssda903__header
    where _delivery_id in (select delivery_id from audit.run_delivery where run_id = %(run_id)s)
    group by 1
    union all
    select _delivery_id as delivery_id, 'cyp001mpi' as table_name, count(*) as row_count
    from raw_icb.csds__cyp001mpi
    where _delivery_id in (select delivery_id from audit.run_delivery where run_id = %(run_id)s)
    group by 1
    union all
    select _delivery_id as delivery_id, 'cyp101referral' as table_name, count(*) as row_count
    from raw_icb.csds__cyp101referral
    where _delivery_id in (select delivery_id from audit.run_delivery where run_id = %(run_id)s)
    group by 1
    union all
    select _delivery_id as delivery_id, 'cyp102servicetypereferredto' as table_name, count(*) as row_count
    from raw_icb.csds__cyp102servicetypereferredto
    where _delivery_id in (select delivery_id from audit.run_delivery where run_id = %(run_id)s)
    group by 1
    union all
    select _delivery_id as delivery_id, 'cyp201carecontact' as table_name, count(*) as row_count
    from raw_icb.csds__cyp201carecontact
    where _delivery_id in (select delivery_id from audit.run_delivery where run_id = %(run_id)s)
    group by 1
    union all
    select _delivery_id as delivery_id, 'establishment' as table_name, count(*) as row_count
    from raw_reference.gias__establishment
    where _delivery_id in (select delivery_id from audit.run_delivery where run_id = %(run_id)s)
    group by 1
)

select by_rule.rule, by_rule.failing_rows, counted.checked_rows
from list_1_counts as counted
cross join lateral (values
    ('101a', counted.f101a),
    ('101b', counted.f101b),
    ('101c', counted.f101c),
    ('101d', counted.f101d),
    ('102a', counted.f102a),
    ('102b', counted.f102b),
    ('103', counted.f103),
    ('105a', counted.f105a),
    ('105b', counted.f105b),
    ('105c', counted.f105c),
    ('105d', counted.f105d),
    ('106a', counted.f106a),
    ('106b', counted.f106b),
    ('107', counted.f107),
    ('108a', counted.f108a),
    ('108b', counted.f108b),
    ('109', counted.f109),
    ('110a', counted.f110a),
    ('110b', counted.f110b),
    ('110c', counted.f110c),
    ('110d', counted.f110d),
    ('110e', counted.f110e),
    ('110f', counted.f110f),
    ('110g', counted.f110g),
    ('110h', counted.f110h),
    ('110i', counted.f110i),
    ('120', counted.f120),
    ('121', counted.f121),
    ('122', counted.f122),
    ('123', counted.f123)
) as by_rule (rule, failing_rows)
union all
select by_rule.rule, by_rule.failing_rows, counted.checked_rows
from list_2_counts as counted
cross join lateral (values
    ('201a', counted.f201a),
    ('201b', counted.f201b),
    ('201c', counted.f201c),
    ('201d', counted.f201d),
    ('202a', counted.f202a),
    ('202b', counted.f202b),
    ('203', counted.f203),
    ('205a', counted.f205a),
    ('207', counted.f207),
    ('208a', counted.f208a),
    ('208b', counted.f208b),
    ('209', counted.f209),
    ('210a', counted.f210a),
    ('210b', counted.f210b),
    ('210c', counted.f210c),
    ('210d', counted.f210d),
    ('210e', counted.f210e),
    ('210g', counted.f210g),
    ('210h', counted.f210h),
    ('210i', counted.f210i),
    ('220', counted.f220),
    ('221', counted.f221),
    ('222', counted.f222),
    ('223', counted.f223)
) as by_rule (rule, failing_rows)
union all
select
    '124',
    (
        select count(*) from (
            select person_id as record_key
            from active_plans
            except select person_id
            from return_annex_a__list_1
        ) as failing
    ),
    (
        select count(*)
        from active_plans
    )
union all
select
    '224',
    (
        select count(*) from (
            select person_id as record_key
            from sen_support
            except (select person_id
            from return_annex_a__list_1 union all select person_id
            from return_annex_a__list_2)
        ) as failing
    ),
    (
        select count(*)
        from sen_support
    )
union all
select
    'not_empty.list_1',
    (
        select count(*) from (
            select 'all rows' as record_key
            where not exists (select 1
            from return_annex_a__list_1)
        ) as failing
    ),
    (
        select count(*)
        from return_annex_a__list_1
    )
union all
select
    'not_empty.list_2',
    (
        select count(*) from (
            select 'all rows' as record_key
            where not exists (select 1
            from return_annex_a__list_2)
        ) as failing
    ),
    (
        select count(*)
        from return_annex_a__list_2
    )
union all
select
    'volume.list_1',
    (
        select count(*) from (
            select 'all rows' as record_key
            from audit.live as live
            inner join audit.check_result as earlier
            on earlier.run_id = live.run_id
            and earlier.rule = 'not_empty.list_1'
            and live.run_id <> %(run_id)s
            where live.partnership = %(partnership)s
            and (select count(*)
            from return_annex_a__list_1) not between earlier.checked_rows * 0.8
            and earlier.checked_rows * 1.25
        ) as failing
    ),
    (
        select count(*)
        from return_annex_a__list_1
    )
union all
select
    'volume.list_2',
    (
        select count(*) from (
            select 'all rows' as record_key
            from audit.live as live
            inner join audit.check_result as earlier
            on earlier.run_id = live.run_id
            and earlier.rule = 'not_empty.list_2'
            and live.run_id <> %(run_id)s
            where live.partnership = %(partnership)s
            and (select count(*)
            from return_annex_a__list_2) not between earlier.checked_rows * 0.8
            and earlier.checked_rows * 1.25
        ) as failing
    ),
    (
        select count(*)
        from return_annex_a__list_2
    )
union all
select
    'freshness.arrivals',
    (
        select count(*) from (
            select arrival.feed as record_key
            from audit.run as run
            inner join landing.arrival as arrival
            on arrival.partnership = run.partnership
            and arrival.as_of = run.as_of
            left join audit.run_delivery as manifest
            on manifest.run_id = run.run_id
            and manifest.delivery_id = arrival.delivery_id
            where run.run_id = %(run_id)s
            and arrival.required
            and (arrival.state <> 'accepted' or manifest.delivery_id is null)
        ) as failing
    ),
    (
        select count(*)
        from landing.arrival
        where partnership = %(partnership)s
        and as_of = %(as_of)s
        and required
    )
union all
select
    'freshness.manifest',
    (
        select count(*) from (
            select cast(delivery.delivery_id as text) as record_key
            from audit.run_delivery as manifest
            inner join landing.delivery as delivery
            on delivery.delivery_id = manifest.delivery_id
            where manifest.run_id = %(run_id)s
            and (delivery.status = 'refused' or delivery.reference_on > %(as_of)s)
        ) as failing
    ),
    (
        select count(*)
        from audit.run_delivery
        where run_id = %(run_id)s
    )
union all
select
    'reconciliation.rows',
    (
        select count(*) from (
            select delivery.delivery_id || ' ' || delivery.table_name as record_key
            from audit.run_delivery as manifest
            inner join landing.delivery_table as delivery
            on delivery.delivery_id = manifest.delivery_id
            left join raw_rows as loaded
            on loaded.delivery_id = delivery.delivery_id
            and loaded.table_name = delivery.table_name
            left join (
                select delivery_id, table_name, count(distinct row_number) as row_count
                from landing.quarantine group by delivery_id, table_name
            ) as refused
            on refused.delivery_id = delivery.delivery_id
            and refused.table_name = delivery.table_name
            where manifest.run_id = %(run_id)s
            and delivery.rows_in <> coalesce(loaded.row_count, 0) + coalesce(refused.row_count, 0)
        ) as failing
    ),
    (
        select count(*)
        from audit.run_delivery as manifest
        inner join landing.delivery_table as delivery
        on delivery.delivery_id = manifest.delivery_id
        where manifest.run_id = %(run_id)s
    )
union all
select
    'reconciliation.identity',
    (
        select count(*) from (
            select source.delivery_id || ' ' || source.table_name || ' ' || source.row_number as record_key
            from person_rows as source
            left join identity.link as link
            on link.delivery_id = source.delivery_id
            and link.table_name = source.table_name
            and link.row_number = source.row_number
            where link.person_id is null
        ) as failing
    ),
    (
        select count(*)
        from person_rows
    )
