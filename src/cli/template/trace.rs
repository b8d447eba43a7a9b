//! The mail as the reader sees it and the rules that it tried, for people at a terminal.

use clap::builder::styling::{AnsiColor, Color, Style};

use crate::cli::output::one_line;
use crate::cli::{Failure, Output};
use crate::read::{Explanation, Place, Readable, Step, Took};

/// Headings.
pub(super) const BOLD: Style = Style::new().bold();
/// What was taken.
const TAKEN: Style = Style::new().fg_color(Some(Color::Ansi(AnsiColor::Green)));
/// What was found and is of no use.
const UNFIT: Style = Style::new().fg_color(Some(Color::Ansi(AnsiColor::Yellow)));
/// What says little.
const FAINT: Style = Style::new().dimmed();

/// A text in a style, for [`Output::styled`].
pub(super) fn styled(style: Style, text: &str) -> String {
    format!("{style}{}{style:#}", one_line(text))
}

/// The mail, then the rules.
pub(super) fn show(out: &mut Output, told: &Explanation) -> Result<(), Failure> {
    let Some(mail) = &told.mail else { return Ok(()) };
    if told.forwarded > 0 {
        out.styled(styled(FAINT, "  the mail that is attached to it:"))?;
    }
    show_mail(out, mail)?;
    let mut template = "";
    for step in &told.steps {
        if step.template != template {
            template = &step.template;
            out.styled(styled(BOLD, &format!("rules of {template}")))?;
        }
        out.styled(line(step))?;
    }
    Ok(())
}

fn show_mail(out: &mut Output, mail: &Readable) -> Result<(), Failure> {
    for (name, value) in &mail.headers {
        out.styled(format!("  {} {}", styled(FAINT, &format!("{name}:")), one_line(value)))?;
    }
    for text in &mail.texts {
        let kind = if text.html { "HTML" } else { "plain text" };
        out.styled(styled(BOLD, &format!("{kind}, each line with its cell (table.row.column)")))?;
        for (number, line) in text.lines.iter().enumerate() {
            let cell = line.cell.map(|Place { table, row, column }| format!("{table}.{row}.{column}"));
            let margin = format!("{:>5}  {:<9}", number + 1, cell.unwrap_or_default());
            out.styled(format!("{} {}", styled(FAINT, &margin), one_line(&line.text)))?;
        }
    }
    Ok(())
}

/// `mail[2] order: placed   holds by when[0]`.
fn line(step: &Step) -> String {
    let rule = format!("  {:<42}", one_line(&format!("{} {}", step.rule, step.name)));
    match &step.took {
        Took::Nothing => styled(FAINT, &format!("{rule} nothing")),
        Took::Holds(index) if step.rule == "match" => {
            format!("{rule} {}", styled(TAKEN, &format!("holds by match[{index}]")))
        }
        Took::Holds(index) => format!("{rule} {}", styled(TAKEN, &format!("holds by when[{index}]"))),
        Took::Value(value) => format!("{rule} {}", styled(TAKEN, value)),
        Took::Unfit(value) => format!("{rule} {}", styled(UNFIT, &format!("cannot be it: {value}"))),
    }
}
