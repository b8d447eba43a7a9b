//! What the pages show: plain data, all of it text that may have come from outside. Nothing here is HTML.

use jiff::civil::Date;

use crate::domain::ShopId;

/// The names of the fields that the pages' forms send. Texts of a product are `p0_stars`, `p0_title`, `p0_text` for the first of
/// the order's products: see [`fields::of_product`].
pub mod fields {
    /// Which of a form's buttons was pressed, see [`WRITE`] and those after it.
    pub const DO: &str = "do";
    /// The form's own token.
    pub const TOKEN: &str = "token";
    /// The trap: people do not see it, and whoever fills it in is a program.
    pub const TRAP: &str = "website";
    /// One to five.
    pub const STARS: &str = "stars";
    /// The review's headline.
    pub const TITLE: &str = "title";
    /// The review's text.
    pub const TEXT: &str = "text";
    /// The name shown with it.
    pub const NAME: &str = "name";
    /// The order's number, where the link does not know the order.
    pub const REFERENCE: &str = "reference";

    /// [`DO`]: store the review.
    pub const WRITE: &str = "write";
    /// [`DO`]: delete the review.
    pub const DELETE: &str = "delete";
    /// [`DO`]: the order has not arrived.
    pub const NOT_ARRIVED: &str = "not_arrived";
    /// [`DO`]: ask me later.
    pub const LATER: &str = "later";
    /// [`DO`]: unsubscribe from this shop.
    pub const SHOP: &str = "shop";
    /// [`DO`]: unsubscribe from all shops.
    pub const ALL: &str = "all";
    /// [`DO`]: take the unsubscription back.
    pub const UNDO: &str = "undo";
    /// [`DO`]: hand out what is stored.
    pub const EXPORT: &str = "export";
    /// [`DO`]: ask for erasure.
    pub const ERASE: &str = "erase";

    /// The field of a product's review; `index` is the product's place in the order, from 0, and `field` one of [`STARS`],
    /// [`TITLE`] and [`TEXT`].
    pub fn of_product(index: usize, field: &str) -> String {
        format!("p{index}_{field}")
    }
}

/// What every page has around it.
#[derive(Clone, Copy, Default)]
pub struct Frame<'a> {
    /// The shop, when the address said which one.
    pub shop: Option<ShopFace<'a>>,
    /// The locale that the letter was written in; it goes before what the browser asks for.
    pub locale: Option<&'a str>,
    /// The request's `Accept-Language`, as it came.
    pub accept_language: Option<&'a str>,
}

/// The shop as its customers see it.
#[derive(Clone, Copy)]
pub struct ShopFace<'a> {
    /// Its id: its own templates go before those of all shops.
    pub id: &'a ShopId,
    /// Its name as customers know it.
    pub name: &'a str,
    /// Its colour, `#rrggbb`; another text is passed over.
    pub color: &'a str,
    /// Its language, RFC 5646.
    pub locale: &'a str,
    /// Name and postal address, one line each.
    pub postal_address: Option<&'a str>,
    /// The address of mail that answers questions.
    pub contact: Option<&'a str>,
    /// Where it says how its reviews are collected.
    pub about: Option<&'a str>,
}

/// One page.
pub enum Page<'a> {
    /// The form of a review, empty, as it was sent before, or with its faults.
    Review(ReviewForm<'a>),
    /// The review was stored.
    Thanks(Thanks<'a>),
    /// The review was deleted.
    Deleted {
        /// Where a new one can be written.
        again: Option<&'a str>,
    },
    /// "My order has not arrived" and "ask me later".
    Later(LaterForm<'a>),
    /// What came of it.
    PutOff(PutOff),
    /// The question whether to unsubscribe.
    Unsubscribe(UnsubscribeForm<'a>),
    /// The customer is unsubscribed.
    Unsubscribed(Unsubscribed<'a>),
    /// The unsubscription was taken back.
    Undone,
    /// What is stored about the customer.
    Data(DataPage<'a>),
    /// The wish to be erased is on record.
    ErasureAsked,
    /// How the shop's reviews are collected and checked.
    About(Practice),
    /// Why there is no other page.
    Notice(Notice),
}

/// Where a form is sent, and its token.
#[derive(Clone, Copy)]
pub struct Target<'a> {
    /// A path or an absolute address of our own.
    pub action: &'a str,
    /// The hidden token.
    pub token: &'a str,
}

/// The form of a review.
pub struct ReviewForm<'a> {
    /// Where it goes.
    pub target: Target<'a>,
    /// The order.
    pub order: OrderField<'a>,
    /// The review of the shop, as the customer typed it.
    pub service: Draft<'a>,
    /// The order's products.
    pub products: Vec<ProductDraft<'a>>,
    /// When the review was written, when it is there already: then it can be changed and deleted.
    pub written: Option<Date>,
    /// What is wrong with what was sent, in the form's order.
    pub faults: Vec<FieldFault>,
    /// Where "not arrived" and "later" are.
    pub later: Option<&'a str>,
    /// Where to unsubscribe.
    pub unsubscribe: Option<&'a str>,
    /// Where the customer's data are.
    pub data: Option<&'a str>,
}

/// What is known of the order.
#[derive(Clone, Copy)]
pub enum OrderField<'a> {
    /// The link tells its number.
    Known(&'a str),
    /// The customer is asked for it; what was typed so far.
    Asked(&'a str),
    /// It is not known and not asked for.
    None,
}

/// A review as it was typed.
#[derive(Clone, Copy, Default)]
pub struct Draft<'a> {
    /// One to five, when chosen; another number counts as none.
    pub stars: Option<u8>,
    /// The headline.
    pub title: &'a str,
    /// The text.
    pub text: &'a str,
    /// The name to be shown.
    pub name: &'a str,
}

/// The review of a product. It has stars and a text; the name is that of the order's review.
#[derive(Clone, Copy)]
pub struct ProductDraft<'a> {
    /// Its place in the order, from 0.
    pub index: usize,
    /// What the order mail called it.
    pub product: &'a str,
    /// What was typed.
    pub draft: Draft<'a>,
}

/// A field of the review's form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FormField {
    /// The form as a whole.
    Form,
    /// The stars.
    Stars,
    /// The headline.
    Title,
    /// The text.
    Text,
    /// The name.
    Name,
    /// The order's number.
    Reference,
    /// The stars of the product at this place of the order.
    ProductStars(usize),
    /// The text of the product at this place of the order.
    ProductText(usize),
}

/// What is wrong with a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wrong {
    /// There is nothing in it.
    Missing,
    /// It is longer than so many characters.
    TooLong(usize),
    /// It is not what it should be.
    Unreadable,
    /// The form's token is too old; the customer sends the form once more.
    Stale,
    /// It could not be stored at the moment; the customer sends the form once more.
    NotKept,
}

/// A field and what is wrong with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FieldFault {
    /// Which field.
    pub field: FormField,
    /// What is wrong.
    pub wrong: Wrong,
}

/// After a review was sent.
pub struct Thanks<'a> {
    /// Whether an older one was changed.
    pub changed: bool,
    /// Where it can be changed and deleted.
    pub edit: Option<&'a str>,
    /// Whether that address is new to the customer and has to be kept, as after the generic link.
    pub keep: bool,
}

/// What a customer who cannot answer now may say; each once.
pub struct LaterForm<'a> {
    /// Where it goes.
    pub target: Target<'a>,
    /// Whether "not arrived" can still be said.
    pub not_arrived: bool,
    /// Whether "later" can still be said.
    pub later: bool,
    /// Where the review can be written.
    pub review: Option<&'a str>,
    /// Whether the form was sent, but the page had been open for too long.
    pub stale: bool,
}

/// What came of "not arrived" or "later".
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PutOff {
    /// The next letter comes on that day or later.
    Until(Date),
    /// It was said before, and only once is heard.
    AskedBefore,
    /// No letter comes any more in any case.
    NoMore,
    /// A letter is on its way at this moment.
    OnItsWay,
}

/// The question whether to unsubscribe.
pub struct UnsubscribeForm<'a> {
    /// Where it goes.
    pub target: Target<'a>,
}

/// After unsubscribing, and when the link is opened again.
pub struct Unsubscribed<'a> {
    /// Where "undo" goes.
    pub target: Target<'a>,
    /// Whether from all shops.
    pub all: bool,
}

/// What is stored about the customer.
pub struct DataPage<'a> {
    /// Where it goes.
    pub target: Target<'a>,
    /// What is stored, in the order in which it is shown.
    pub stored: Vec<Stored<'a>>,
    /// When erasure was asked for; then it is not offered again.
    pub erasure_asked: Option<Date>,
    /// Whether a form was sent, but the page had been open for too long.
    pub stale: bool,
}

/// One thing that is stored.
#[derive(Clone, Copy)]
pub enum Stored<'a> {
    /// The address.
    Address(&'a str),
    /// The customer's name.
    Name(&'a str),
    /// An order's number, and its day when that is known.
    Order(&'a str, Option<Date>),
    /// A product of the order.
    Product(&'a str),
    /// The first letter was sent.
    Invitation(Date),
    /// A reminder was sent.
    Reminder(Date),
    /// A letter is due.
    Due(Date),
    /// A review of one to five stars, its headline, its text, the name shown with it and its day.
    Review(u8, [&'a str; 3], Date),
    /// No letters are wanted.
    Unsubscribed(Date),
}

/// How a shop's reviews come about: what the law wants customers to be told (Directive 2005/29/EC art. 7(6) as Directive (EU)
/// 2019/2161 has it; in the United Kingdom, the Digital Markets, Competition and Consumers Act 2024, schedule 20).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Practice {
    /// Percent of the customers who are asked, drawn at random.
    pub share: u8,
    /// Days from the order or its delivery to the first letter, when it is a number of days.
    pub days: Option<u32>,
    /// The most letters about one order.
    pub letters: u32,
    /// Reviews after an automatic letter.
    pub automatic: u64,
    /// Reviews after a letter that staff asked for, or that came of an import.
    pub manual: u64,
    /// Reviews by a link that the shop made for one order.
    pub link: u64,
    /// Reviews by the link that anybody can use.
    pub basic: u64,
    /// How many of all of them are known to be of a customer.
    pub verified: u64,
    /// How many were taken away by staff.
    pub removed: u64,
}

/// Why there is no other page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Notice {
    /// There is nothing at this address; says the same whatever was wrong with a link.
    NotFound,
    /// The link was good until some day.
    Expired,
    /// The shop has withdrawn the link.
    Revoked,
    /// What the link was about is no longer stored.
    Gone,
    /// A review of this order is there already, by another way.
    Answered,
    /// Too many requests.
    TooMany,
    /// More was sent than a form holds.
    TooLarge,
    /// What was sent is no form of ours.
    Invalid,
    /// We cannot answer at the moment.
    Unavailable,
}

impl Notice {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::NotFound,
        Self::Expired,
        Self::Revoked,
        Self::Gone,
        Self::Answered,
        Self::TooMany,
        Self::TooLarge,
        Self::Invalid,
        Self::Unavailable,
    ];

    /// Its name in `words.toml`.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::NotFound => "not_found",
            Self::Expired => "expired",
            Self::Revoked => "revoked",
            Self::Gone => "gone",
            Self::Answered => "answered",
            Self::TooMany => "too_many",
            Self::TooLarge => "too_large",
            Self::Invalid => "invalid",
            Self::Unavailable => "unavailable",
        }
    }
}
