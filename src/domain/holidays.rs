//! Holidays: days of the countries' calendars, which are data in `templates/policy/holidays/`, and days that a shop names.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use jiff::ToSpan;
use jiff::civil::{Date, Weekday};
use serde::Deserialize;

/// The files of the folder, by country.
macro_rules! files {
    ($($country:literal)+) => {
        [$(($country, include_str!(concat!("../../templates/policy/holidays/", $country, ".toml")))),+]
    };
}

const FILES: [(&str, &str); 23] = files!("AT" "BE" "BG" "CH" "CY" "CZ" "DE" "DK" "ES" "FI" "FR" "GB" "GR" "IE" "IT" "JP" "NL" "NO" "PL" "PT" "RO" "SE" "US");

static SHIPPED: LazyLock<BTreeMap<&str, HolidayCalendar>> = LazyLock::new(|| {
    FILES
        .into_iter()
        .map(|(country, text)| {
            (country, HolidayCalendar::read(country, text).expect("the file is part of the program, and tested"))
        })
        .collect()
});

/// Which reckoning of Easter a country goes by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Easter {
    Western,
    Orthodox,
}

impl Easter {
    /// Easter Sunday of a year, in the Gregorian calendar.
    fn sunday(self, year: i16) -> Option<Date> {
        let year = i32::from(year);
        match self {
            // The algorithm of Meeus, Jones and Butcher.
            Self::Western => {
                let (a, b, c) = (year % 19, year / 100, year % 100);
                let h = (19 * a + b - b / 4 - (b - (b + 8) / 25 + 1) / 3 + 15) % 30;
                let l = (32 + 2 * (b % 4) + 2 * (c / 4) - h - c % 4) % 7;
                let n = h + l - 7 * ((a + 11 * h + 22 * l) / 451) + 114;
                date(year, n / 31, n % 31 + 1)
            }
            // The algorithm of Meeus for the Julian calendar, whose day is then shown in the Gregorian.
            Self::Orthodox => {
                let d = (19 * (year % 19) + 15) % 30;
                let e = (2 * (year % 4) + 4 * (year % 7) - d + 34) % 7;
                let n = d + e + 114;
                let behind = year / 100 - year / 400 - 2;
                date(year, n / 31, n % 31 + 1)?.checked_add(behind.days()).ok()
            }
        }
    }
}

fn date(year: i32, month: i32, day: i32) -> Option<Date> {
    Date::new(i16::try_from(year).ok()?, i8::try_from(month).ok()?, i8::try_from(day).ok()?).ok()
}

/// The public holidays of one country, in every year.
#[derive(Debug, PartialEq, Eq)]
pub struct HolidayCalendar {
    country: &'static str,
    fixed: BTreeSet<MonthDay>,
    easter: Easter,
    days_from_easter: Vec<i32>,
    weekday_from: Vec<(Weekday, MonthDay)>,
}

/// A file of the folder as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default = "western")]
    easter: Easter,
    fixed: Vec<String>,
    #[serde(default)]
    days_from_easter: Vec<i32>,
    /// `monday from 05-25`: the first Monday on or after 25 May.
    #[serde(default)]
    weekday_from: Vec<String>,
}

const fn western() -> Easter {
    Easter::Western
}

impl HolidayCalendar {
    /// The calendar of a country (ISO 3166-1 alpha-2, any case) that comes with the program, where there is one.
    pub fn shipped(country: &str) -> Option<&'static Self> {
        SHIPPED.get(country.trim().to_ascii_uppercase().as_str())
    }

    /// The countries of which there is a calendar, in the order of the alphabet.
    pub fn countries() -> impl Iterator<Item = &'static str> {
        FILES.into_iter().map(|(country, _)| country)
    }

    /// Whether nobody works on that day.
    pub fn is_holiday(&self, day: Date) -> bool {
        if self.fixed.contains(&MonthDay::of(day)) {
            return true;
        }
        let from_easter = |sunday: Date| self.days_from_easter.contains(&(day - sunday).get_days());
        if self.easter.sunday(day.year()).is_some_and(from_easter) {
            return true;
        }
        // The first such weekday on or after a day is at most six days after it.
        self.weekday_from.iter().any(|(weekday, from)| {
            let first = from.in_year(day.year());
            day.weekday() == *weekday && first.is_some_and(|first| (0..7).contains(&(day - first).get_days()))
        })
    }

    /// The calendar in the text of a file; what is wrong, otherwise.
    fn read(country: &'static str, text: &str) -> Result<Self, String> {
        let file: File = toml::from_str(text).map_err(|error| format!("{country}: {error}"))?;
        let day = |text: &str| MonthDay::parse(text).ok_or_else(|| format!("{country}: {text:?} is no month and day"));
        let weekday_from = |text: &String| {
            let (weekday, from) =
                text.split_once(" from ").ok_or_else(|| format!("{country}: {text:?} has no from"))?;
            let weekday = weekday_named(weekday).ok_or_else(|| format!("{country}: {weekday:?} is no weekday"))?;
            Ok::<_, String>((weekday, day(from)?))
        };
        Ok(Self {
            country,
            fixed: file.fixed.iter().map(|text| day(text)).collect::<Result<_, _>>()?,
            easter: file.easter,
            days_from_easter: file.days_from_easter,
            weekday_from: file.weekday_from.iter().map(weekday_from).collect::<Result<_, _>>()?,
        })
    }
}

/// The weekday of an English name or its first three letters, in any case.
pub fn weekday_named(name: &str) -> Option<Weekday> {
    Some(match name.trim().to_ascii_lowercase().as_str() {
        "monday" | "mon" => Weekday::Monday,
        "tuesday" | "tue" => Weekday::Tuesday,
        "wednesday" | "wed" => Weekday::Wednesday,
        "thursday" | "thu" => Weekday::Thursday,
        "friday" | "fri" => Weekday::Friday,
        "saturday" | "sat" => Weekday::Saturday,
        "sunday" | "sun" => Weekday::Sunday,
        _ => return None,
    })
}

/// A day of every year that has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct MonthDay {
    month: i8,
    day: i8,
}

impl MonthDay {
    fn of(day: Date) -> Self {
        Self { month: day.month(), day: day.day() }
    }

    /// `12-31`; 29 February is a day.
    fn parse(text: &str) -> Option<Self> {
        let form = text.len() == 5
            && text.bytes().enumerate().all(|(at, b)| if at == 2 { b == b'-' } else { b.is_ascii_digit() });
        let leap = if form { format!("2000-{text}").parse::<Date>().ok() } else { None };
        leap.map(Self::of)
    }

    fn in_year(self, year: i16) -> Option<Date> {
        Date::new(year, self.month, self.day).ok()
    }
}

/// The days on which a shop's letters do not go.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Holidays {
    dates: BTreeSet<Date>,
    yearly: BTreeSet<MonthDay>,
    countries: BTreeSet<&'static str>,
    of_customer: bool,
}

/// An entry that names no holidays.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidHoliday {
    /// Two letters for which there is no calendar.
    #[error("there is no calendar of holidays for {0:?}; there is one for {known}", known = known_countries())]
    Country(String),
    /// In the form of a day, but no calendar has it.
    #[error("{0:?} is no day of the calendar")]
    Day(String),
    /// Anything else.
    #[error(
        "{0:?} names no holidays: write a date (2026-12-24), a day of every year (12-24), a country (DK) or customer"
    )]
    Form(String),
}

fn known_countries() -> String {
    HolidayCalendar::countries().collect::<Vec<_>>().join(", ")
}

impl Holidays {
    /// The word for the calendar of the customer's own country.
    pub const CUSTOMER: &str = "customer";

    /// No holidays.
    pub const NONE: Self =
        Self { dates: BTreeSet::new(), yearly: BTreeSet::new(), countries: BTreeSet::new(), of_customer: false };

    /// The holidays of all these entries: a date (`2026-12-24`), a day of every year (`12-31`), the calendar of a country
    /// (`DK`, whoever the customer is) or of the customer's own (`customer`). The first entry that is none of these is the error.
    pub fn of<E: AsRef<str>>(entries: impl IntoIterator<Item = E>) -> Result<Self, InvalidHoliday> {
        let mut holidays = Self::NONE;
        for entry in entries {
            holidays.add(entry.as_ref())?;
        }
        Ok(holidays)
    }

    /// Adds one entry as [`Holidays::of`] takes it.
    pub fn add(&mut self, entry: &str) -> Result<(), InvalidHoliday> {
        let text = entry.trim();
        let in_digits = text.bytes().all(|b| b.is_ascii_digit() || b == b'-');
        match text.len() {
            _ if text.eq_ignore_ascii_case(Self::CUSTOMER) => self.of_customer = true,
            2 if text.bytes().all(|b| b.is_ascii_alphabetic()) => {
                let calendar =
                    HolidayCalendar::shipped(text).ok_or_else(|| InvalidHoliday::Country(entry.to_owned()))?;
                self.countries.insert(calendar.country);
            }
            10 if in_digits => {
                self.dates.insert(text.parse().map_err(|_| InvalidHoliday::Day(entry.to_owned()))?);
            }
            5 if in_digits => {
                self.yearly.insert(MonthDay::parse(text).ok_or_else(|| InvalidHoliday::Day(entry.to_owned()))?);
            }
            _ => return Err(InvalidHoliday::Form(entry.to_owned())),
        }
        Ok(())
    }

    /// Whether there are none at all.
    pub fn is_empty(&self) -> bool {
        *self == Self::NONE
    }

    /// Whether this day is one of them for a customer of this country. Of a customer whose country is not known, or whose
    /// country has no calendar, `customer` says nothing.
    pub fn is_holiday(&self, day: Date, country: Option<&str>) -> bool {
        let kept = |country: &str| HolidayCalendar::shipped(country).is_some_and(|calendar| calendar.is_holiday(day));
        self.dates.contains(&day)
            || self.yearly.contains(&MonthDay::of(day))
            || self.countries.iter().any(|country| kept(country))
            || (self.of_customer && country.is_some_and(kept))
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn day(text: &str) -> Date {
        text.parse().unwrap()
    }

    /// The holidays of a year, `MM-DD`.
    fn year(country: &str, year: i16) -> String {
        let calendar = HolidayCalendar::shipped(country).unwrap();
        let days = Date::new(year, 1, 1).unwrap().series(1.day()).take_while(|day| day.year() == year);
        let days = days.filter(|day| calendar.is_holiday(*day));
        days.map(|day| day.strftime("%m-%d").to_string()).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn easter_is_where_the_churches_put_it() {
        for (year, western, orthodox) in [
            (1961, "1961-04-02", "1961-04-09"),
            (2000, "2000-04-23", "2000-04-30"),
            (2008, "2008-03-23", "2008-04-27"),
            (2024, "2024-03-31", "2024-05-05"),
            (2025, "2025-04-20", "2025-04-20"),
            (2026, "2026-04-05", "2026-04-12"),
            (2027, "2027-03-28", "2027-05-02"),
            (2028, "2028-04-16", "2028-04-16"),
            (2038, "2038-04-25", "2038-04-25"),
            (2049, "2049-04-18", "2049-04-25"),
        ] {
            assert_eq!(Easter::Western.sunday(year), Some(day(western)));
            assert_eq!(Easter::Orthodox.sunday(year), Some(day(orthodox)));
        }
    }

    #[test]
    fn the_calendars_of_2026_are_those_of_the_countries() {
        for (country, expected) in [
            ("DK", "01-01 04-02 04-03 04-05 04-06 05-14 05-24 05-25 12-25 12-26"),
            ("SE", "01-01 01-06 04-03 04-05 04-06 05-01 05-14 05-24 06-06 06-20 10-31 12-25 12-26"),
            ("NO", "01-01 04-02 04-03 04-05 04-06 05-01 05-14 05-17 05-24 05-25 12-25 12-26"),
            ("DE", "01-01 04-03 04-06 05-01 05-14 05-25 10-03 12-25 12-26"),
            ("AT", "01-01 01-06 04-06 05-01 05-14 05-25 06-04 08-15 10-26 11-01 12-08 12-25 12-26"),
            ("GB", "01-01 04-03 04-06 05-04 05-25 08-31 12-25 12-26"),
            ("IE", "01-01 02-02 03-17 04-06 05-04 06-01 08-03 10-26 12-25 12-26"),
            ("US", "01-01 01-19 02-16 05-25 06-19 07-04 09-07 10-12 11-11 11-26 12-25"),
            ("JP", "01-01 01-12 02-11 02-23 04-29 05-03 05-04 05-05 07-20 08-11 09-21 10-12 11-03 11-23"),
            ("GR", "01-01 01-06 02-23 03-25 04-10 04-12 04-13 05-01 06-01 08-15 10-28 12-25 12-26"),
            ("BG", "01-01 03-03 04-10 04-11 04-12 04-13 05-01 05-06 05-24 09-06 09-22 12-24 12-25 12-26"),
            ("PL", "01-01 01-06 04-05 04-06 05-01 05-03 05-24 06-04 08-15 11-01 11-11 12-24 12-25 12-26"),
        ] {
            assert_eq!(year(country, 2026), expected, "{country}");
        }
    }

    #[test]
    fn every_file_of_the_folder_is_a_calendar() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("templates/policy/holidays");
        let mut files = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().to_str().unwrap().strip_suffix(".toml").unwrap().to_owned())
            .collect::<Vec<_>>();
        files.sort();
        assert_eq!(files, HolidayCalendar::countries().collect::<Vec<_>>());
        for country in files {
            let days = year(&country, 2027).split(' ').count();
            assert!((8..=17).contains(&days), "{country}: {days}");
            assert_eq!(
                HolidayCalendar::shipped(&country.to_lowercase()).map(|one| one.country),
                Some(country.as_str())
            );
        }
    }

    #[test]
    fn a_file_with_a_mistake_says_which() {
        for (text, says) in [
            ("fixed = [\"13-01\"]", "XX: \"13-01\" is no month and day"),
            ("fixed = [\"1-1\"]", "XX: \"1-1\" is no month and day"),
            ("fixed = []\nweekday_from = [\"moonday from 01-01\"]", "XX: \"moonday\" is no weekday"),
            ("fixed = []\nweekday_from = [\"monday\"]", "XX: \"monday\" has no from"),
            ("fixed = []\neaster = \"eastern\"", "unknown variant `eastern`"),
            ("fixd = []", "unknown field `fixd`"),
        ] {
            let error = HolidayCalendar::read("XX", text).unwrap_err();
            assert!(error.contains(says), "{error}");
        }
    }

    #[test]
    fn entries_are_dates_days_of_every_year_countries_and_the_customers_own() {
        let holidays = Holidays::of(["dk", "2026-12-24", " 12-31 ", "02-29"]).unwrap();
        let customer = Holidays::of(["Customer"]).unwrap();
        for (date, country, listed, own) in [
            ("2026-12-24", None, true, false),
            ("2027-12-24", None, false, false),
            ("2027-12-31", Some("SE"), true, false),
            ("2028-02-29", None, true, false),
            ("2028-03-01", None, false, false),
            ("2026-04-06", None, true, false),
            ("2026-04-06", Some("SE"), true, true),
            ("2026-04-06", Some("se"), true, true),
            ("2026-06-06", Some("SE"), false, true),
            ("2026-06-06", Some("DK"), false, false),
            ("2026-01-01", Some("BR"), true, false),
        ] {
            assert_eq!(holidays.is_holiday(day(date), country), listed, "{date} {country:?}");
            assert_eq!(customer.is_holiday(day(date), country), own, "{date} {country:?} of the customer's own");
        }
        assert!(Holidays::NONE.is_empty() && !customer.is_empty() && !holidays.is_empty());
    }

    #[test]
    fn an_entry_that_names_nothing_is_told_what_would() {
        for (entry, says) in [
            ("XX", "there is no calendar of holidays for \"XX\"; there is one for AT, BE, BG, CH, CY,"),
            ("02-30", "\"02-30\" is no day of the calendar"),
            ("2027-02-29", "\"2027-02-29\" is no day of the calendar"),
            ("24-12-2026", "\"24-12-2026\" is no day of the calendar"),
            ("24.12.", "\"24.12.\" names no holidays: write a date (2026-12-24), a day of every year (12-24)"),
            ("Denmark", "a country (DK) or customer"),
            ("", "\"\" names no holidays"),
            ("ДК", "names no holidays"),
        ] {
            let error = Holidays::of(["DK", entry]).unwrap_err().to_string();
            assert!(error.contains(says), "{entry}: {error}");
        }
    }
}
