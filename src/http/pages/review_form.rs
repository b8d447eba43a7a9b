//! A review as it was typed or as it is stored, in the fields of its form; and from there to what can be stored, or to what is wrong.

use std::collections::BTreeMap;

use crate::domain::{self, Flaw, PersonName, Review, ReviewField, ReviewKind};
use crate::http::form::Form;
use crate::ops::visit::Visit;
use crate::page::{Draft, FieldFault, FormField, Wrong, fields};

/// The fields of one review.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Fields {
    pub(super) stars: String,
    title: String,
    text: String,
    name: String,
}

/// The fields of the form.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Typed {
    pub(super) service: Fields,
    pub(super) reference: String,
    products: BTreeMap<usize, Fields>,
}

/// What can be stored: the review of the shop, and of products by their places.
type Drafts = (domain::Draft, Vec<(usize, domain::Draft)>);

impl Fields {
    fn of(review: &Review) -> Self {
        let words = &review.words;
        Self {
            stars: review.stars.to_string(),
            title: words.title().to_owned(),
            text: words.text().to_owned(),
            name: words.name().to_owned(),
        }
    }

    /// As a page shows it.
    pub(super) fn as_draft(&self) -> Draft<'_> {
        let stars = domain::Stars::parse(&self.stars).map(domain::Stars::get);
        Draft { stars, title: &self.title, text: &self.text, name: &self.name }
    }

    fn is_empty(&self) -> bool {
        [&self.stars, &self.title, &self.text].iter().all(|field| field.trim().is_empty())
    }
}

impl Typed {
    /// What was sent.
    pub(super) fn from_form(form: &Form) -> Self {
        let service = Fields {
            stars: form.get(fields::STARS).to_owned(),
            title: form.get(fields::TITLE).to_owned(),
            text: form.get(fields::TEXT).to_owned(),
            name: form.get(fields::NAME).to_owned(),
        };
        let mut products: BTreeMap<usize, Fields> = BTreeMap::new();
        for (index, field, value) in form.iter().filter_map(|(name, value)| {
            let (index, field) = super::sent::of_product(name)?;
            Some((index, field, value))
        }) {
            let product = products.entry(index).or_default();
            let into = match field {
                fields::STARS => &mut product.stars,
                fields::TITLE => &mut product.title,
                _ => &mut product.text,
            };
            value.clone_into(into);
        }
        Self { service, reference: form.get(fields::REFERENCE).to_owned(), products }
    }

    /// What is stored; before that, no more than the given name of the customer: everybody can read it, and who does not look at the
    /// field has not agreed to show their full name.
    pub(super) fn from_reviews(reviews: &[Review], visit: &Visit) -> Self {
        let service = reviews.iter().find(|review| review.kind == ReviewKind::Service);
        let service = service.map_or_else(
            || {
                let given = visit.name().and_then(PersonName::given).unwrap_or_default();
                Fields { name: given.to_owned(), ..Fields::default() }
            },
            Fields::of,
        );
        let of_product = |name: &str| reviews.iter().find(|review| review.product.as_deref() == Some(name));
        let products = visit.products().into_iter().enumerate();
        let products = products.filter_map(|(index, name)| Some((index, Fields::of(of_product(name)?)))).collect();
        Self { service, reference: String::new(), products }
    }

    /// What was typed about the product at this place.
    pub(super) fn product(&self, index: usize) -> Draft<'_> {
        self.products.get(&index).map(Fields::as_draft).unwrap_or_default()
    }

    /// What can be stored, of an order with so many products.
    ///
    /// # Errors
    /// Everything that is wrong, in the order of the form.
    pub(super) fn drafts(&self, products: usize) -> Result<Drafts, Vec<FieldFault>> {
        let mut faults = Vec::new();
        let Fields { stars, title, text, name } = &self.service;
        let service = domain::Draft::parse(stars, title, text, name);
        let service = service.map_err(|flaws| faults.extend(flaws.into_iter().map(|flaw| fault(flaw, None)))).ok();
        let mut drafts = Vec::new();
        for (index, fields) in self.products.range(..products).filter(|(_, fields)| !fields.is_empty()) {
            match domain::Draft::parse(&fields.stars, &fields.title, &fields.text, name) {
                Ok(draft) => drafts.push((*index, draft)),
                Err(flaws) => {
                    // The name is the review's of the shop, and told of there.
                    let flaws = flaws.into_iter().filter(|flaw| flaw.field() != ReviewField::Name);
                    faults.extend(flaws.map(|flaw| fault(flaw, Some(*index))));
                }
            }
        }
        match service {
            Some(service) if faults.is_empty() => Ok((service, drafts)),
            _ => Err(faults),
        }
    }
}

fn fault(flaw: Flaw, product: Option<usize>) -> FieldFault {
    let field = match (flaw.field(), product) {
        (ReviewField::Stars, None) => FormField::Stars,
        (ReviewField::Title, None) => FormField::Title,
        (ReviewField::Text, None) => FormField::Text,
        (ReviewField::Name, _) => FormField::Name,
        (ReviewField::Stars, Some(index)) => FormField::ProductStars(index),
        (ReviewField::Title | ReviewField::Text, Some(index)) => FormField::ProductText(index),
    };
    let wrong = match flaw {
        Flaw::Stars => Wrong::Missing,
        Flaw::TooLong { field, .. } => Wrong::TooLong(field.at_most()),
    };
    FieldFault { field, wrong }
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderMap, header};

    use super::*;

    fn typed(body: &str) -> Typed {
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, "application/x-www-form-urlencoded".parse().unwrap());
        Typed::from_form(&Form::read(&headers, body.as_bytes(), |_| true).unwrap())
    }

    #[test]
    fn what_was_typed_becomes_drafts_and_empty_products_are_left_out() {
        let typed = typed("stars=4&title=T&text=X&name=Anna&p0_stars=&p0_text=+&p1_stars=2&p1_text=Y&p7_stars=1");
        let (service, products) = typed.drafts(3).unwrap();
        assert_eq!((service.stars.get(), service.words.title(), service.words.name()), (4, "T", "Anna"));
        let products = products.iter().map(|(at, draft)| (*at, draft.stars.get(), draft.words.text()));
        assert_eq!(products.collect::<Vec<_>>(), [(1, 2, "Y")], "and none that the order does not have");
    }

    #[test]
    fn what_is_wrong_is_told_field_by_field_and_nothing_typed_is_lost() {
        let long = "x".repeat(5_001);
        let typed = typed(&format!("title=T&text={long}&name=Anna&p0_text=Y"));
        let faults = typed.drafts(1).unwrap_err();
        let expected = [
            (FormField::Stars, Wrong::Missing),
            (FormField::Text, Wrong::TooLong(5_000)),
            (FormField::ProductStars(0), Wrong::Missing),
        ];
        assert_eq!(faults, expected.map(|(field, wrong)| FieldFault { field, wrong }));
        assert_eq!((typed.service.as_draft().text, typed.product(0).text), (long.as_str(), "Y"));
    }
}
