//! Dates: civil calendar arithmetic without a clock or a time zone database.

use std::fmt;

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// A day of the proleptic Gregorian calendar.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Date {
    year: i32,
    month: u8,
    day: u8,
}

impl Date {
    /// The day; `None` if there is no such day. Years 0 to 9999.
    pub fn new(year: i32, month: u8, day: u8) -> Option<Self> {
        let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
        let days = match month {
            2 => 28 + u8::from(leap),
            4 | 6 | 9 | 11 => 30,
            1..=12 => 31,
            _ => return None,
        };
        ((0..=9999).contains(&year) && (1..=days).contains(&day)).then_some(Self {
            year,
            month,
            day,
        })
    }

    /// The month's number, 1 to 12, from its English abbreviation in any case.
    pub fn month_from_name(name: &str) -> Option<u8> {
        let at = MONTHS.iter().position(|month| month.eq_ignore_ascii_case(name))?;
        u8::try_from(at + 1).ok()
    }

    /// Days since 1970-01-01.
    pub fn days_since_epoch(self) -> i64 {
        // Years begin in March, so that the leap day is the last of its year.
        let (month, day) = (i64::from(self.month), i64::from(self.day));
        let year = i64::from(self.year) - i64::from(month <= 2);
        let era = year.div_euclid(400);
        let year_of_era = year.rem_euclid(400);
        let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
        era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year
            - 719_468
    }

    /// The day that is `days` after 1970-01-01.
    pub fn from_days_since_epoch(days: i64) -> Self {
        let shifted = days + 719_468;
        let era = shifted.div_euclid(146_097);
        let day_of_era = shifted.rem_euclid(146_097);
        let year_of_era =
            (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let shifted_month = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
        let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
        let year = year_of_era + era * 400 + i64::from(month <= 2);
        // Month and day are small by construction; the year is clamped to what callers can name.
        Self { year: year.clamp(0, 9999) as i32, month: month as u8, day: day as u8 }
    }

    /// Year, month (1 to 12) and day (1 to 31).
    pub fn ymd(self) -> (i32, u8, u8) {
        (self.year, self.month, self.day)
    }
}

impl fmt::Display for Date {
    /// The form of IMAP's SEARCH, `1-Feb-1994` (RFC 9051 §9, date-text).
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}-{:04}", self.day, MONTHS[usize::from(self.month) - 1], self.year)
    }
}

/// An instant, to the second, and the time zone it was written in.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct DateTime {
    seconds: i64,
    offset_minutes: i16,
}

impl DateTime {
    /// The last instant that can be written with a four-digit year in any zone, and the first.
    const SECONDS_MAX: i64 = 253_402_214_400;
    const SECONDS_MIN: i64 = -62_167_132_800;

    /// The instant `seconds` after 1970-01-01T00:00:00Z, shown at `offset_minutes` east of UTC.
    /// Both are clamped to what IMAP can write: years 0 to 9999, offsets below 24 hours.
    pub fn new(seconds: i64, offset_minutes: i16) -> Self {
        Self {
            seconds: seconds.clamp(Self::SECONDS_MIN, Self::SECONDS_MAX),
            offset_minutes: offset_minutes.clamp(-1439, 1439),
        }
    }

    /// The instant of a wall-clock reading at `offset_minutes` east of UTC; `None` if there is no
    /// such reading. A leap second counts as the second after it.
    pub fn from_civil(
        date: Date,
        (hour, minute, second): (u8, u8, u8),
        offset_minutes: i16,
    ) -> Option<Self> {
        if hour > 23 || minute > 59 || second > 60 || offset_minutes.abs() > 1439 {
            return None;
        }
        let time = i64::from(hour) * 3600 + i64::from(minute) * 60 + i64::from(second);
        let local = date.days_since_epoch() * 86_400 + time;
        Some(Self::new(local - i64::from(offset_minutes) * 60, offset_minutes))
    }

    /// Seconds since 1970-01-01T00:00:00Z.
    pub fn seconds(self) -> i64 {
        self.seconds
    }

    /// Minutes east of UTC, -1439 to 1439.
    pub fn offset_minutes(self) -> i16 {
        self.offset_minutes
    }

    fn local_seconds(self) -> i64 {
        self.seconds + i64::from(self.offset_minutes) * 60
    }

    /// The day in the instant's own time zone: what SEARCH ON and SENTON compare
    /// (RFC 9051 §6.4.4: "disregarding time and timezone").
    pub fn date(self) -> Date {
        Date::from_days_since_epoch(self.local_seconds().div_euclid(86_400))
    }

    /// Hour, minute and second in the instant's own time zone.
    pub fn time(self) -> (u8, u8, u8) {
        let second = self.local_seconds().rem_euclid(86_400);
        // Each is below 60 or 24 by construction.
        ((second / 3600) as u8, (second / 60 % 60) as u8, (second % 60) as u8)
    }

    /// One number that holds both parts and sorts by instant.
    pub fn pack(self) -> u64 {
        let seconds = (self.seconds - Self::SECONDS_MIN) as u64;
        seconds << 12 | (i64::from(self.offset_minutes) + 2048) as u64
    }

    /// The inverse of [`DateTime::pack`]; clamps what it cannot have made.
    #[inline]
    pub fn unpack(packed: u64) -> Self {
        let offset = (packed & 0xfff) as i64 - 2048;
        Self::new((packed >> 12) as i64 + Self::SECONDS_MIN, offset as i16)
    }
}

impl DateTime {
    /// IMAP's date-time without its quotes, `17-Jul-1996 02:44:25 -0700`, the day padded with a
    /// space (RFC 9051 §9, date-time). Always ASCII.
    pub fn text(self) -> [u8; 26] {
        let (year, month, day) = self.date().ymd();
        let (hour, minute, second) = self.time();
        let mut text = *b"00-Jan-0000 00:00:00 +0000";
        let mut two = |at: usize, number: u8| {
            text[at] = b'0' + number / 10 % 10;
            text[at + 1] = b'0' + number % 10;
        };
        two(0, day);
        // Years are 0 to 9999.
        two(7, (year / 100) as u8);
        two(9, (year % 100) as u8);
        two(12, hour);
        two(15, minute);
        two(18, second);
        let offset = self.offset_minutes.unsigned_abs();
        // Offsets are below 24 hours.
        two(22, (offset / 60) as u8);
        two(24, (offset % 60) as u8);
        if text[0] == b'0' {
            text[0] = b' ';
        }
        text[3..6].copy_from_slice(MONTHS[usize::from(month) - 1].as_bytes());
        if self.offset_minutes < 0 {
            text[21] = b'-';
        }
        text
    }
}

impl fmt::Display for DateTime {
    /// See [`DateTime::text`].
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(std::str::from_utf8(&self.text()).map_err(|_| fmt::Error)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn known_days() {
        for (ymd, days) in [((1970, 1, 1), 0), ((2000, 3, 1), 11017), ((1969, 12, 31), -1)] {
            let date = Date::new(ymd.0, ymd.1, ymd.2).expect("a day");
            assert_eq!(date.days_since_epoch(), days);
            assert_eq!(Date::from_days_since_epoch(days), date);
        }
        assert_eq!(Date::new(2023, 2, 29), None);
        assert!(Date::new(2024, 2, 29).is_some());
    }

    #[test]
    fn prints_imap_date_time() {
        let date = Date::new(1996, 7, 7).expect("a day");
        let at = DateTime::from_civil(date, (2, 44, 25), -420).expect("a time");
        assert_eq!(at.to_string(), " 7-Jul-1996 02:44:25 -0700");
    }

    proptest! {
        #[test]
        fn text_is_what_formatting_gives(seconds in -62_200_000_000i64..253_500_000_000, offset: i16) {
            let at = DateTime::new(seconds, offset);
            let ((year, month, day), (hour, minute, second)) = (at.date().ymd(), at.time());
            let month = MONTHS[usize::from(month) - 1];
            let sign = if at.offset_minutes() < 0 { '-' } else { '+' };
            let offset = at.offset_minutes().unsigned_abs();
            let expected = format!(
                "{day:2}-{month}-{year:04} {hour:02}:{minute:02}:{second:02} {sign}{:02}{:02}",
                offset / 60,
                offset % 60
            );
            prop_assert_eq!(at.to_string(), expected);
        }

        #[test]
        fn every_day_there_and_back(days in -700_000i64..2_900_000) {
            let date = Date::from_days_since_epoch(days);
            prop_assert_eq!(date.days_since_epoch(), days);
        }

        #[test]
        fn packs_and_unpacks(seconds: i64, offset: i16) {
            let at = DateTime::new(seconds, offset);
            prop_assert_eq!(DateTime::unpack(at.pack()), at);
        }
    }
}
