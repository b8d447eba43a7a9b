//! Days as people write them. `03/04/2026` has two readings; the one that lies before the mail and nearest to it is taken, since
//! an order is told of within days.

use jiff::civil::Date;

/// Month names by language, January first, folded; abbreviations need not be listed.
#[derive(Debug, Clone, Default)]
pub(super) struct Months(pub(super) Vec<Vec<String>>);

impl Months {
    /// The month, 1 to 12, that `word` names or abbreviates to at least three letters.
    fn number(&self, word: &str) -> Option<i8> {
        let exact = |name: &&String| **name == word;
        let short = |name: &&String| word.chars().count() >= 3 && name.starts_with(word);
        let find =
            |fits: &dyn Fn(&&String) -> bool| self.0.iter().find_map(|names| names.iter().position(|name| fits(&name)));
        find(&exact).or_else(|| find(&short)).and_then(|index| i8::try_from(index % 12 + 1).ok())
    }
}

/// Which of the numbers of a day comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum DayOrder {
    /// `31/12/2026`, as in nearly all languages.
    DayFirst,
    /// In English either: `12/31/2026` where the second is set, and among equals.
    Either { month_first: bool },
    /// `26/12/31` where the year has two digits: Japanese, Chinese, Korean, Hungarian.
    YearFirst,
}

impl DayOrder {
    /// The order of a language, as a tag.
    pub(super) fn of(language: Option<&str>) -> Self {
        match language.map(|tag| tag.get(..2).unwrap_or(tag)) {
            None | Some("en") => Self::Either { month_first: language == Some("en-US") },
            Some("ja" | "zh" | "ko" | "hu") => Self::YearFirst,
            Some(_) => Self::DayFirst,
        }
    }
}

/// What is known about how a mail writes days.
pub(super) struct Habits<'h> {
    /// The month names.
    pub(super) months: &'h Months,
    /// The day of the mail.
    pub(super) mailed: Option<Date>,
    /// The order that its language has.
    pub(super) order: DayOrder,
}

impl Habits<'_> {
    /// The first day in a text.
    pub(super) fn day_in(&self, text: &str) -> Option<Date> {
        // Most texts have no number, and no day is written without one.
        if !text.bytes().any(|byte| byte.is_ascii_digit()) {
            return None;
        }
        if let Some(day) = of_era(text) {
            return day;
        }
        // Dots stand between the numbers of languages that begin with the day.
        let dotted =
            text.as_bytes().windows(3).any(|at| at[0].is_ascii_digit() && at[1] == b'.' && at[2].is_ascii_digit());
        let order = if dotted && self.order != DayOrder::YearFirst { DayOrder::DayFirst } else { self.order };
        let tokens = tokens(text);
        for (index, window) in tokens.windows(3).enumerate() {
            if let [Token::Number(a, digits), Token::Number(b, _), Token::Number(c, last)] = window
                && let Some(day) = self.of_numbers(order, (*a, *digits), *b, (*c, *last))
            {
                return Some(day);
            }
            if let Some(day) = self.of_name(&tokens[index..]) {
                return Some(day);
            }
        }
        None
    }

    fn of_numbers(&self, order: DayOrder, (a, digits): (i64, usize), b: i64, (c, last): (i64, usize)) -> Option<Date> {
        if digits == 4 {
            return date(a, b, c);
        }
        if order == DayOrder::YearFirst && digits == 2 && last <= 2 {
            return date(2000 + a, b, c);
        }
        let year = match last {
            4 => c,
            2 => 2000 + c,
            _ => return None,
        };
        let (day_first, month_first) = (date(year, b, a), date(year, a, b));
        let (Some(x), Some(y)) = (day_first, month_first) else { return day_first.or(month_first) };
        let DayOrder::Either { month_first: prefers_month } = order else { return Some(x) };
        let Some(mailed) = self.mailed else { return if prefers_month { month_first } else { day_first } };
        let limit = mailed.tomorrow().unwrap_or(mailed);
        let age = |day: Date| mailed.since(day).map_or(i32::MAX, |span| span.get_days().abs());
        Some(match (x <= limit, y <= limit) {
            (true, false) => x,
            (false, true) => y,
            _ if age(y) == age(x) && prefers_month => y,
            _ if age(y) < age(x) => y,
            _ => x,
        })
    }

    /// `9 February 2026`, `February 9, 2026`, `9. de febrero de 2026`, at the start of `tokens`.
    fn of_name(&self, tokens: &[Token]) -> Option<Date> {
        let near = &tokens[..tokens.len().min(6)];
        let (first, rest) = near.split_first()?;
        match first {
            Token::Number(day, digits) if *digits <= 2 => {
                let month = rest.iter().take(2).position(|token| self.month(token).is_some())?;
                let year = rest[month + 1..].iter().take(2).find_map(year)?;
                date(year, i64::from(self.month(&rest[month])?), *day)
            }
            Token::Word(_) => {
                let month = self.month(first)?;
                let Token::Number(day, 1 | 2) = rest.first()? else { return None };
                let year = rest[1..].iter().take(2).find_map(year)?;
                date(year, i64::from(month), *day)
            }
            Token::Number(..) => None,
        }
    }

    /// The days that a text may name, when its language leaves open which: `03/04/2026`.
    pub(super) fn ambiguous_in(&self, text: &str) -> Option<(Date, Date)> {
        let DayOrder::Either { .. } = self.order else { return None };
        let with = |order| Habits { months: self.months, mailed: None, order }.day_in(text);
        let (day, month) = (with(DayOrder::DayFirst)?, with(DayOrder::Either { month_first: true })?);
        (day != month).then_some((day, month))
    }

    fn month(&self, token: &Token) -> Option<i8> {
        match token {
            Token::Word(word) => self.months.number(word),
            Token::Number(..) => None,
        }
    }
}

/// A day in a Japanese era, `令和8年11月16日`: the era's first year is 1, also written 元. The outer `None` when no era is named.
fn of_era(text: &str) -> Option<Option<Date>> {
    const ERAS: [(&str, i64); 3] = [("令和", 2018), ("平成", 1988), ("昭和", 1925)];
    let (before, rest) = ERAS.iter().find_map(|(era, before)| Some((before, text.split_once(era)?.1)))?;
    let rest = rest.trim_start().replacen('元', "1", 1);
    let mut numbers = rest.split(|c: char| !c.is_ascii_digit()).filter(|run| !run.is_empty()).map(str::parse::<i64>);
    let mut next = || numbers.next()?.ok();
    let (year, month, day) = (next(), next(), next());
    Some((|| date(before.checked_add(year?)?, month?, day?))())
}

enum Token {
    /// A number with how many digits it was written.
    Number(i64, usize),
    /// A word in lower case.
    Word(String),
}

fn tokens(text: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut run = String::new();
    let mut finish = |run: &mut String| {
        match run.parse::<i64>() {
            Ok(number) => tokens.push(Token::Number(number, run.len())),
            // The signs for year and month separate numbers as dots do.
            Err(_) if run.is_empty() || run == "\u{5e74}" || run == "\u{6708}" => {}
            Err(_) => tokens.push(Token::Word(run.clone())),
        }
        run.clear();
    };
    for c in text.chars().take(300).flat_map(char::to_lowercase) {
        let digit = c.is_ascii_digit();
        if run.chars().next().is_some_and(|first| first.is_ascii_digit() != digit) || !(digit || c.is_alphabetic()) {
            finish(&mut run);
        }
        if digit || c.is_alphabetic() {
            run.push(c);
        }
    }
    finish(&mut run);
    tokens
}

fn year(token: &Token) -> Option<i64> {
    match token {
        Token::Number(year, 4) => Some(*year),
        _ => None,
    }
}

/// A day between 1990 and 2200; anything else is some other number.
fn date(year: i64, month: i64, day: i64) -> Option<Date> {
    let year = i16::try_from(year).ok().filter(|year| (1990..2200).contains(year))?;
    Date::new(year, i8::try_from(month).ok()?, i8::try_from(day).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_read_in_many_forms() {
        let list = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let months = Months(vec![
            list(&[
                "january",
                "february",
                "march",
                "april",
                "may",
                "june",
                "july",
                "august",
                "september",
                "october",
                "november",
                "december",
            ]),
            list(&[
                "januari",
                "februari",
                "mars",
                "april",
                "maj",
                "juni",
                "juli",
                "augusti",
                "september",
                "oktober",
                "november",
                "december",
            ]),
        ]);
        let habits = Habits { months: &months, mailed: Date::new(2026, 4, 5).ok(), order: DayOrder::of(Some("en")) };
        for (text, day) in [
            ("2026-03-18 04:30:02", Some("2026-03-18")),
            ("18.03.2026 04:30", Some("2026-03-18")),
            ("03/04/2026", Some("2026-04-03")),
            ("04/05/2026", Some("2026-04-05")),
            ("Oct 16, 2025, 1:51:38 PM", Some("2025-10-16")),
            ("Placed on 22 Nov 2025, 07:41", Some("2025-11-22")),
            ("9 februari, 2026", Some("2026-02-09")),
            ("16 de mars de 2026", Some("2026-03-16")),
            ("2026\u{5e74}6\u{6708}7\u{65e5}", Some("2026-06-07")),
            ("令和8年11月16日", Some("2026-11-16")),
            ("令和元年5月1日", Some("2019-05-01")),
            ("令和8年", None),
            ("order 31.02.2026", None),
            ("Tel. 08 123 45 67", None),
            ("", None),
        ] {
            assert_eq!(habits.day_in(text).map(|day| day.to_string()).as_deref(), day, "{text}");
        }
    }
}
