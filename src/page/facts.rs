//! What the templates of the pages can show: their variables, all of them text. `docs/pages.md` lists them.

use jiff::civil::Date;
use minijinja::{Value, context};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::domain::{clean, is_invisible};
use crate::wording::Fault;

use super::render::Speaker;
use super::view::{
    DataPage, FieldFault, FormField, Frame, LaterForm, Notice, OrderField, Page, Practice, ProductDraft, PutOff,
    ReviewForm, Stored, Target, Thanks, Wrong, fields,
};

/// Characters of a line that came from outside.
const LINE: usize = 300;
/// Characters of a link that is shown.
const LINK: usize = 2_000;
/// Characters that a review's text may have, as its hint says.
const TEXT: usize = 5_000;

/// RFC 6068 section 2: what needs no encoding in the address of a `mailto:` link.
const MAILTO: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'+').remove(b'@');

/// The template that a page is made of.
pub(super) fn template(page: &Page<'_>) -> &'static str {
    match page {
        Page::Review(_) => "review.html",
        Page::Later(_) => "later.html",
        Page::Unsubscribe(_) => "unsubscribe.html",
        Page::Unsubscribed(_) => "unsubscribed.html",
        Page::Data(_) => "data.html",
        Page::About(_) => "about.html",
        Page::Thanks(_)
        | Page::Deleted { .. }
        | Page::PutOff(_)
        | Page::Undone
        | Page::ErasureAsked
        | Page::Notice(_) => "message.html",
    }
}

/// The variables of a page.
pub(super) fn of(speaker: &Speaker<'_>, frame: &Frame<'_>, page: &Page<'_>) -> Result<Value, Fault> {
    let own = match page {
        Page::Review(form) => review(speaker, form)?,
        Page::Thanks(thanks) => thanks_of(speaker, thanks)?,
        Page::Deleted { again } => {
            let links = again.map(|href| link(speaker, href, "deleted.again")).transpose()?;
            message(speaker, "deleted.heading", &["deleted.text"], links)?
        }
        Page::Later(form) => later(speaker, form)?,
        Page::PutOff(answer) => put_off(speaker, *answer)?,
        Page::Unsubscribe(form) => headed(speaker, "unsubscribe.heading", target(form.target))?,
        Page::Unsubscribed(done) => {
            headed(speaker, "unsubscribed.heading", context! { all => done.all, ..target(done.target) })?
        }
        Page::Undone => message(speaker, "undone.heading", &["undone.text"], None)?,
        Page::Data(page) => data(speaker, page)?,
        Page::ErasureAsked => message(speaker, "erasure_asked.heading", &["erasure_asked.text"], None)?,
        Page::About(practice) => about(speaker, *practice)?,
        Page::Notice(notice) => {
            let name = notice.as_str();
            message(speaker, &format!("{name}.heading"), &[&format!("{name}.text")], None)?
        }
    };
    // Of two values the first counts.
    Ok(context! { ..own, ..context! { faulty => false, ..around(speaker, frame, page)? } })
}

/// What stands around the page's own content: the footer, and how to reach the shop where that is what helps.
fn around(speaker: &Speaker<'_>, frame: &Frame<'_>, page: &Page<'_>) -> Result<Value, Fault> {
    let mut links = Vec::new();
    if let Page::Review(form) = page {
        for (href, word) in
            [(form.later, "later_link"), (form.data, "data_link"), (form.unsubscribe, "unsubscribe_link")]
        {
            links.extend(href.map(|href| link(speaker, href, word)).transpose()?);
        }
    }
    let shop = frame.shop.as_ref();
    if !matches!(page, Page::About(_)) {
        let about = shop.and_then(|shop| shop.about);
        links.extend(about.map(|href| link(speaker, href, "about_link")).transpose()?);
    }
    let contact = shop.and_then(|shop| shop.contact).map(|contact| clean(contact, LINE)).unwrap_or_default();
    let contact_address = utf8_percent_encode(&contact, MAILTO).to_string();
    let postal_address = lines(shop.and_then(|shop| shop.postal_address).unwrap_or(""));
    // Where something did not go well, the address stands in the text, and then not a second time below it.
    let in_text = match page {
        Page::Notice(notice) => !matches!(notice, Notice::NotFound | Notice::TooMany | Notice::TooLarge),
        Page::Later(form) => form.not_arrived,
        Page::PutOff(answer) => matches!(answer, PutOff::AskedBefore),
        _ => false,
    };
    let below = if in_text { "" } else { contact.as_str() };
    let footer = (!links.is_empty() || !below.is_empty() || !postal_address.is_empty()).then(|| {
        context! { links, contact => below, contact_address => contact_address.as_str(), postal_address }
    });
    let contact = if in_text { contact.as_str() } else { "" };
    Ok(context! { footer => footer.unwrap_or(Value::from(())), contact, contact_address })
}

fn headed(speaker: &Speaker<'_>, heading: &str, rest: Value) -> Result<Value, Fault> {
    Ok(context! { heading => speaker.word(heading)?, ..rest })
}

fn message(
    speaker: &Speaker<'_>,
    heading: &str,
    paragraphs: &[&str],
    link: impl IntoIterator<Item = Value>,
) -> Result<Value, Fault> {
    let paragraphs = paragraphs.iter().map(|word| speaker.word(word)).collect::<Result<Vec<_>, _>>()?;
    let rest = context! { paragraphs, links => link.into_iter().collect::<Vec<_>>(), kept => "" };
    headed(speaker, heading, rest)
}

fn link(speaker: &Speaker<'_>, href: &str, word: &str) -> Result<Value, Fault> {
    Ok(context! { href, label => speaker.word(word)? })
}

fn target(target: Target<'_>) -> Value {
    context! { action => target.action, token => target.token }
}

fn review(speaker: &Speaker<'_>, form: &ReviewForm<'_>) -> Result<Value, Fault> {
    let written = form.written.map(|day| date(speaker, day)).transpose()?.unwrap_or_default();
    let heading = if written.is_empty() { "review.heading" } else { "review.heading_edit" };
    let labels = (1..=5).map(|n| speaker.word(&format!("review.star{n}"))).collect::<Result<Vec<_>, _>>()?;
    let faults = form.faults.iter().map(|fault| fault_of(speaker, form, *fault)).collect::<Result<Vec<_>, _>>()?;
    let fault = |field| {
        let at = form.faults.iter().position(|fault| fault.field == field);
        at.and_then(|at| faults.get(at)).map_or("", |fault| fault.text.as_str())
    };
    let products = form.products.iter().map(|product| {
        context! {
            name => clean(product.product, LINE),
            stars_name => fields::of_product(product.index, fields::STARS),
            text_name => fields::of_product(product.index, fields::TEXT),
            stars => stars(product.draft.stars),
            text => text(product.draft.text),
            stars_fault => fault(FormField::ProductStars(product.index)),
            text_fault => fault(FormField::ProductText(product.index)),
        }
    });
    let is_begun = |product: &ProductDraft<'_>| product.draft.stars.is_some() || !product.draft.text.is_empty();
    let (order, reference) = match form.order {
        OrderField::Known(reference) => ("known", reference),
        OrderField::Asked(typed) => ("asked", typed),
        OrderField::None => ("none", ""),
    };
    let rest = context! {
        written,
        star_labels => labels,
        draft => context! {
            stars => stars(form.service.stars),
            title => clean(form.service.title, LINE),
            text => text(form.service.text),
            name => clean(form.service.name, LINE),
        },
        most => context! { text => TEXT },
        fault => context! {
            stars => fault(FormField::Stars),
            title => fault(FormField::Title),
            text => fault(FormField::Text),
            name => fault(FormField::Name),
            reference => fault(FormField::Reference),
        },
        faulty => !faults.is_empty(),
        faults => faults.iter().map(Shown::value).collect::<Vec<_>>(),
        order,
        reference => clean(reference, LINE),
        products => products.collect::<Vec<_>>(),
        products_open => form.products.iter().any(is_begun) || form.faults.iter().any(|fault| fault.is_of_product()),
        ..target(form.target)
    };
    headed(speaker, heading, rest)
}

impl FieldFault {
    fn is_of_product(&self) -> bool {
        matches!(self.field, FormField::ProductStars(_) | FormField::ProductText(_))
    }
}

/// A fault as it is shown: where it leads, what the field is called, and what is wrong.
struct Shown {
    id: String,
    label: String,
    text: String,
}

impl Shown {
    fn value(&self) -> Value {
        context! { id => self.id.as_str(), label => self.label.as_str(), text => self.text.as_str() }
    }
}

fn fault_of(speaker: &Speaker<'_>, form: &ReviewForm<'_>, fault: FieldFault) -> Result<Shown, Fault> {
    // A field that is not on the page has no place to lead to.
    let product = |index, field| {
        let found = form.products.iter().find(|product| product.index == index);
        found.map_or_else(Default::default, |found| (fields::of_product(index, field), clean(found.product, LINE)))
    };
    let own = |id: &str, word| Ok((id.to_owned(), speaker.word(word)?));
    let (id, label) = match fault.field {
        FormField::Form => Default::default(),
        FormField::Stars => own(fields::STARS, "review.stars")?,
        FormField::Title => own(fields::TITLE, "review.title")?,
        FormField::Text => own(fields::TEXT, "review.text")?,
        FormField::Name => own(fields::NAME, "review.name")?,
        FormField::Reference if matches!(form.order, OrderField::Asked(_)) => {
            own(fields::REFERENCE, "review.reference")?
        }
        FormField::Reference => Default::default(),
        FormField::ProductStars(index) => product(index, fields::STARS),
        FormField::ProductText(index) => product(index, fields::TEXT),
    };
    let text = match (fault.wrong, fault.field) {
        (Wrong::Missing, FormField::Stars | FormField::ProductStars(_)) => speaker.word("errors.stars")?,
        (Wrong::Missing, _) => speaker.word("errors.missing")?,
        (Wrong::TooLong(most), _) => speaker.say("errors.too_long", context! { most })?,
        (Wrong::Unreadable, _) => speaker.word("errors.unreadable")?,
        (Wrong::Stale, _) => speaker.word("errors.stale")?,
        (Wrong::NotKept, _) => speaker.word("errors.not_kept")?,
    };
    Ok(Shown { id, label, text })
}

fn thanks_of(speaker: &Speaker<'_>, thanks: &Thanks<'_>) -> Result<Value, Fault> {
    let done = if thanks.changed { "thanks.changed" } else { "thanks.stored" };
    match (thanks.edit, thanks.keep) {
        (None, _) => message(speaker, "thanks.heading", &[done], None),
        (Some(href), false) => {
            let link = link(speaker, href, "thanks.button")?;
            message(speaker, "thanks.heading", &[done, "thanks.edit"], [link])
        }
        (Some(href), true) => {
            let message = message(speaker, "thanks.heading", &[done, "thanks.keep"], None)?;
            Ok(context! { kept => clean(href, LINK), ..message })
        }
    }
}

fn later(speaker: &Speaker<'_>, form: &LaterForm<'_>) -> Result<Value, Fault> {
    let LaterForm { target: to, not_arrived, later, review, stale } = form;
    let rest = context! { not_arrived, later, review => review.unwrap_or(""), stale, faulty => stale, ..target(*to) };
    headed(speaker, "later.heading", rest)
}

fn put_off(speaker: &Speaker<'_>, answer: PutOff) -> Result<Value, Fault> {
    let text = match answer {
        PutOff::Until(day) => speaker.say("put_off.until", context! { date => date(speaker, day)? })?,
        PutOff::AskedBefore => speaker.word("put_off.asked_before")?,
        PutOff::NoMore => speaker.word("put_off.no_more")?,
        PutOff::OnItsWay => speaker.word("put_off.on_its_way")?,
    };
    Ok(context! { paragraphs => vec![text], ..message(speaker, "put_off.heading", &[], None)? })
}

fn data(speaker: &Speaker<'_>, page: &DataPage<'_>) -> Result<Value, Fault> {
    let stored = page.stored.iter().map(|thing| stored(speaker, thing)).collect::<Result<Vec<_>, _>>()?;
    let erasure_asked = page.erasure_asked.map(|day| date(speaker, day)).transpose()?.unwrap_or_default();
    let stale = page.stale;
    headed(speaker, "data.heading", context! { stored, erasure_asked, stale, faulty => stale, ..target(page.target) })
}

fn stored(speaker: &Speaker<'_>, thing: &Stored<'_>) -> Result<Value, Fault> {
    let (word, value) = match *thing {
        Stored::Address(address) => ("address", clean(address, LINE)),
        Stored::Name(name) => ("name", clean(name, LINE)),
        Stored::Order(reference, None) => ("order", clean(reference, LINE)),
        Stored::Order(reference, Some(day)) => {
            ("order", format!("{}\n{}", clean(reference, LINE), date(speaker, day)?))
        }
        Stored::Product(product) => ("product", clean(product, LINE)),
        Stored::Invitation(day) => ("invitation", date(speaker, day)?),
        Stored::Reminder(day) => ("reminder", date(speaker, day)?),
        Stored::Due(day) => ("due", date(speaker, day)?),
        Stored::Review(count, [title, words, name], day) => {
            let [title, name] = [title, name].map(|line| clean(line, LINE));
            let stars = match stars(Some(count)) {
                0 => String::new(),
                count => speaker.word(&format!("review.star{count}"))?,
            };
            let parts = [stars, title, text(words), name, date(speaker, day)?];
            ("review", parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("\n"))
        }
        Stored::Unsubscribed(day) => ("unsubscribed", date(speaker, day)?),
    };
    Ok(context! { label => speaker.word(&format!("data.{word}"))?, value })
}

fn about(speaker: &Speaker<'_>, practice: Practice) -> Result<Value, Fault> {
    let Practice { share, days, letters, automatic, manual, link, basic, verified, removed } = practice;
    let all = automatic.saturating_add(manual).saturating_add(link).saturating_add(basic);
    let counts = [
        ("automatic", automatic),
        ("manual", manual),
        ("link", link),
        ("basic", basic),
        ("verified", verified),
        ("unverified", all.saturating_sub(verified)),
        ("removed", removed),
    ];
    let counts = counts
        .into_iter()
        .map(|(word, value)| Ok(context! { label => speaker.word(&format!("about.{word}"))?, value }))
        .collect::<Result<Vec<_>, Fault>>()?;
    let rest = context! { share, days => days.unwrap_or(0), letters, counts };
    headed(speaker, "about.heading", rest)
}

/// A day as the language writes it.
fn date(speaker: &Speaker<'_>, day: Date) -> Result<String, Fault> {
    let months = speaker.word("months")?;
    let number = day.month();
    let month = usize::try_from(number - 1).ok().and_then(|index| months.split_whitespace().nth(index));
    let month = month.unwrap_or_default();
    speaker.say("date", context! { day => day.day(), month, month_number => number, year => day.year() })
}

/// One to five, or 0 for none.
fn stars(stars: Option<u8>) -> u8 {
    stars.filter(|stars| (1..=5).contains(stars)).unwrap_or(0)
}

/// A text of several lines as it was typed, without what cannot be seen.
fn text(typed: &str) -> String {
    let typed = typed.replace("\r\n", "\n").replace('\r', "\n");
    typed.chars().filter(|c| matches!(c, '\n' | '\t') || !is_invisible(*c)).collect()
}

fn lines(text: &str) -> Vec<String> {
    text.lines().map(|line| clean(line, LINE)).filter(|line| !line.is_empty()).collect()
}
