//! Bars over time, drawn with characters: a function of the numbers and the room there is.

use crate::cli::glyphs::Glyphs;

/// Rows of bars.
const ROWS: u64 = 8;

/// The widest that a bar gets, its gap included.
const WIDEST: usize = 6;

/// Blocks by their eighths.
const EIGHTHS: [char; 9] =
    [' ', '\u{2581}', '\u{2582}', '\u{2583}', '\u{2584}', '\u{2585}', '\u{2586}', '\u{2587}', '\u{2588}'];

/// Draws numbers, each with the label of its place on the axis, in at most `width` columns. Where there is less room than numbers,
/// neighbours share a bar.
pub(super) fn chart(bars: &[(String, u64)], width: usize, glyphs: Glyphs) -> Vec<String> {
    let most = bars.iter().map(|(_, n)| *n).max().unwrap_or(0);
    // The axis needs room for the largest number that bars together can have.
    let digits = bars.iter().fold(0_u64, |sum, (_, n)| sum.saturating_add(*n)).max(1).to_string().len() + 1;
    let room = width.saturating_sub(digits + 2).max(10);
    let each = bars.len().div_ceil(room).max(1);
    let bars = bars
        .chunks(each)
        .map(|some| {
            let label = some.first().map_or("", |(label, _)| label.as_str());
            (label, some.iter().fold(0_u64, |sum, (_, n)| sum.saturating_add(*n)))
        })
        .collect::<Vec<_>>();
    let most = bars.iter().map(|(_, n)| *n).max().unwrap_or(most);
    let top = round_up(most.max(1));
    let step = (room / bars.len().max(1)).clamp(1, WIDEST);
    let digits = top.to_string().len();
    let (wall, corner, floor) = match glyphs {
        Glyphs::Blocks => ('\u{2502}', '\u{2514}', '\u{2500}'),
        Glyphs::Ascii => ('|', '+', '-'),
    };
    let mut lines = Vec::new();
    for row in (0..ROWS).rev() {
        let mark = match row {
            _ if row == ROWS - 1 => top.to_string(),
            // The middle stands at the upper edge of the fourth row.
            row if row == ROWS / 2 - 1 && top.is_multiple_of(2) => (top / 2).to_string(),
            _ => String::new(),
        };
        let mut line = format!("{mark:>digits$} {wall}");
        for (_, n) in &bars {
            let block = block(*n, top, row, glyphs);
            let gap = usize::from(step > 1);
            line.extend(std::iter::repeat_n(block, step - gap));
            line.extend(std::iter::repeat_n(' ', gap));
        }
        lines.push(line.trim_end().to_owned());
    }
    let floor = std::iter::repeat_n(floor, step * bars.len()).collect::<String>();
    lines.push(format!("{:>digits$} {corner}{floor}", 0));
    let labels = bars.iter().map(|(label, _)| *label);
    lines.push(format!("{:digits$}  {}", "", axis(labels, step, room)).trim_end().to_owned());
    if each > 1 {
        lines.push(format!("{:digits$}  each bar is {each} of them", ""));
    }
    lines
}

/// What stands in a row of a bar.
fn block(n: u64, top: u64, row: u64, glyphs: Glyphs) -> char {
    let in_parts = |parts: u64| {
        let exact = u128::from(n) * u128::from(ROWS * parts);
        let rounded = (exact + u128::from(top) / 2) / u128::from(top);
        u64::try_from(rounded).unwrap_or(u64::MAX)
    };
    match glyphs {
        Glyphs::Blocks => {
            // What is there is seen.
            let eighths = in_parts(8).max(u64::from(n > 0));
            let here = eighths.saturating_sub(row * 8).min(8);
            usize::try_from(here).ok().and_then(|here| EIGHTHS.get(here)).copied().unwrap_or(' ')
        }
        Glyphs::Ascii => match in_parts(1) {
            0 if n > 0 && row == 0 => '.',
            rows if row < rows => '#',
            _ => ' ',
        },
    }
}

/// The labels below the bars, as many as there is room for.
fn axis<'l>(labels: impl Iterator<Item = &'l str>, step: usize, room: usize) -> String {
    let mut line = String::new();
    for (place, label) in labels.enumerate() {
        let at = place * step;
        let is_free = line.is_empty() || at >= line.chars().count() + 2;
        if is_free && at + label.chars().count() <= room.max(label.chars().count()) {
            line.extend(std::iter::repeat_n(' ', at - line.chars().count()));
            line.push_str(label);
        }
    }
    line
}

/// The next number that reads well on an axis.
fn round_up(most: u64) -> u64 {
    let mut unit = 1_u64;
    loop {
        for times in [1, 2, 4, 6, 8] {
            match unit.checked_mul(times) {
                Some(top) if top >= most => return top,
                Some(_) => {}
                None => return most,
            }
        }
        unit = unit.saturating_mul(10);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn days(numbers: &[u64]) -> Vec<(String, u64)> {
        numbers.iter().enumerate().map(|(day, n)| (format!("03-{:02}", day + 1), *n)).collect()
    }

    #[test]
    fn bars_are_drawn_to_scale_with_numbers_and_dates() {
        let drawn = chart(&days(&[0, 1, 10, 20, 40, 7, 33]), 80, Glyphs::Blocks);
        assert_eq!(
            drawn.join("\n"),
            "\
40 │                        █████
   │                        █████       ▅▅▅▅▅
   │                        █████       █████
   │                        █████       █████
20 │                  █████ █████       █████
   │                  █████ █████       █████
   │            █████ █████ █████ ▃▃▃▃▃ █████
   │      ▂▂▂▂▂ █████ █████ █████ █████ █████
 0 └──────────────────────────────────────────
    03-01       03-03       03-05       03-07"
        );
    }

    #[test]
    fn without_blocks_bars_are_of_ascii_and_what_is_there_is_seen() {
        let drawn = chart(&days(&[0, 1, 10, 20, 40]), 24, Glyphs::Ascii);
        assert_eq!(
            drawn.join("\n"),
            "\
40 |            ##
   |            ##
   |            ##
   |            ##
20 |         ## ##
   |         ## ##
   |      ## ## ##
   |   .. ## ## ##
 0 +---------------
    03-01    03-04"
        );
        assert!(drawn.iter().all(|line| line.is_ascii()));
    }

    #[test]
    fn where_there_is_little_room_neighbours_share_a_bar_and_nothing_is_lost() {
        for width in [20, 40, 80, 200] {
            for count in [1, 2, 30, 31, 90, 365] {
                let drawn = chart(&days(&vec![3; count]), width, Glyphs::Blocks);
                let widest = drawn.iter().map(|line| line.chars().count()).max().unwrap();
                assert!(widest <= width.max(28), "{count} in {width}: {widest}\n{}", drawn.join("\n"));
            }
        }
        let shared = chart(&days(&vec![3; 90]), 40, Glyphs::Ascii);
        assert!(shared.last().unwrap().contains("each bar is 3 of them"), "{}", shared.join("\n"));
        assert_eq!(chart(&[], 80, Glyphs::Ascii).len(), 10, "nothing is drawn as nothing");
    }

    #[test]
    fn tops_read_well() {
        for (most, top) in
            [(1, 1), (2, 2), (3, 4), (5, 6), (9, 10), (11, 20), (99, 100), (101, 200), (u64::MAX, u64::MAX)]
        {
            assert_eq!(round_up(most), top, "{most}");
        }
    }
}
