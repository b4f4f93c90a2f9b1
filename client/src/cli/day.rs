//! Days of the Gregorian calendar, counted from 1970-01-01.

/// The date of a day: year, month and day. Years are counted from March, so that the leap day is the last; 400 years are
/// a cycle of 146,097 days.
pub(crate) fn date(number: i64) -> (i64, i64, i64) {
    let from_march = number + FROM_MARCH;
    let cycle = from_march.div_euclid(146_097);
    let of_cycle = from_march.rem_euclid(146_097);
    let year = (of_cycle - of_cycle / 1_460 + of_cycle / 36_524 - of_cycle / 146_096) / 365;
    let of_year = of_cycle - (365 * year + year / 4 - year / 100);
    // From March on, five months have 153 days.
    let month = (5 * of_year + 2) / 153;
    let of_month = of_year - (153 * month + 2) / 5 + 1;
    let (month, turn) = if month < 10 {
        (month + 3, 0)
    } else {
        (month - 9, 1)
    };
    (cycle * 400 + year + turn, month, of_month)
}

/// The reverse of [`date`]; `None` if there is no such day. The numbers have a few digits.
pub(crate) fn number(year: i64, month: i64, day: i64) -> Option<i64> {
    let (from_march, months) = if month > 2 {
        (year, month - 3)
    } else {
        (year - 1, month + 9)
    };
    let (cycle, of_cycle) = (from_march.div_euclid(400), from_march.rem_euclid(400));
    let of_year = (153 * months + 2) / 5 + day - 1;
    let days = of_cycle * 365 + of_cycle / 4 - of_cycle / 100 + of_year;
    let number = cycle * 146_097 + days - FROM_MARCH;
    (date(number) == (year, month, day)).then_some(number)
}

/// Days from 0000-03-01 to 1970-01-01.
const FROM_MARCH: i64 = 719_468;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_day_of_eight_centuries_follows_the_one_before_and_is_known_by_its_date() {
        let mut before = date(-1);
        assert_eq!(before, (1969, 12, 31));
        for day in 0..292_194 {
            let (year, month, of_month) = before;
            let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
            let last = match month {
                2 => 28 + i64::from(leap),
                4 | 6 | 9 | 11 => 30,
                _ => 31,
            };
            assert_eq!(number(year, month, last + 1), None);
            let expected = if of_month < last {
                (year, month, of_month + 1)
            } else if month < 12 {
                (year, month + 1, 1)
            } else {
                (year + 1, 1, 1)
            };
            before = date(day);
            assert_eq!(before, expected);
            assert_eq!(number(before.0, before.1, before.2), Some(day));
        }
        assert_eq!(before, (2769, 12, 31));
    }

    #[test]
    fn what_is_no_day_has_no_number() {
        for (year, month, day) in [
            (2026, 0, 1),
            (2026, 13, 1),
            (2026, 1, 0),
            (0, 0, 0),
            (9999, 99, 99),
        ] {
            assert_eq!(number(year, month, day), None);
        }
    }
}
