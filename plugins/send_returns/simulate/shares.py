"""How often registers disagree about who a child is: shares, all assumed, each with its reason. See identity_mess."""

from typing import Final

# Of rows, a slip in either name.
SLIP_TYPED: Final = 0.008  # names are keyed again, from a form, a letter or the telephone
SLIP_CHECKED: Final = 0.002  # a school sees the birth certificate, and returns are compared with the last one
# Of children with a forename that has another form, those who go by it; and of the feeds, how many have it.
GOES_BY: Final = 0.12
FAMILIAR_TYPED: Final = 0.5  # written as the family says it
FAMILIAR_CHECKED: Final = 0.1  # schools and returns ask for the legal name
# Of names with an accent, a hyphen or an apostrophe in a feed.
UNMARKED: Final = 0.15  # the system, or who types, has no such key
# Of families, and of the feeds that know a child of one.
NEW_SURNAME: Final = 0.01  # marriage, separation or a deed
OLD_SURNAME_KEPT: Final = 0.4  # nobody told that system
# Of double-barrelled names in a feed.
HALF_SURNAME: Final = 0.06  # the field is short, or only one parent's name was given
# Of families, and of the feeds that know a child of one.
MOVED_HOME: Final = 0.03  # within the memory of the feeds
OLD_HOME_KEPT: Final = 0.4  # a change of address is told to some and not to others
SAME_POSTCODE_DISTRICT: Final = 0.85  # most moves are short
# Of rows.
PLACEHOLDER_BIRTH: Final = 0.002  # only the year was known when the case was opened: 1 January
WRONG_DIGIT_TYPED: Final = 0.002  # keyed again
WRONG_DIGIT: Final = 0.001  # carried over from a system where it was once keyed
WRONG_SEX: Final = 0.0005  # the wrong line of a list
# Of rows of a child who has one, by number: about 1 row in 5,000 of all.
TWIN_NUMBER: Final = 0.006  # the two are next to one another in every list
SIBLING_NUMBER: Final = 0.0002  # the same surname and address
# Of the council's numbers of children, and the feeds that are opened in a spreadsheet before they are sent.
OLD_NUMBER: Final = 0.1  # given by an earlier system, which filled them with zeros
WITHOUT_ZEROS: Final = ("health_advice", "part_time_timetables", "short_breaks", "disputes")
# Of the young pupils of whom no service tells, and at least so many.
ADOPTED: Final = 0.0005  # 3,000 a year are adopted in England, most of them too young to have been at a school
FEWEST_ADOPTED: Final = 2  # a small county, too, is to have some
FORENAME_KEPT: Final = 0.5  # at school age a child mostly has a say in it
