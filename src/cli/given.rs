//! What arguments name: shops of the configuration, and values that are read as they are given.

use std::fmt::Display;

use super::{Desk, Failure};
use crate::config::Shop;
use crate::domain::ShopId;

/// What the argument of an option means.
pub(super) fn parsed<T, E: Display>(
    option: &str,
    text: Option<&str>,
    parse: impl FnOnce(&str) -> Result<T, E>,
) -> Result<Option<T>, Failure> {
    text.map(parse).transpose().map_err(|error| Failure::Usage(format!("{option}: {error}")))
}

/// The shop of the configuration that is named, where one is.
pub(super) fn shop(desk: &Desk, named: Option<&str>) -> Result<Option<ShopId>, Failure> {
    named.map(|name| Ok(configured(desk, name)?.id.clone())).transpose()
}

/// The shop that is meant: the one that is named, or the only one.
pub(super) fn shop_or_only<'d>(desk: &'d Desk, named: Option<&str>) -> Result<&'d Shop, Failure> {
    match (named, desk.config.shops.as_slice()) {
        (Some(name), _) => configured(desk, name),
        (None, [only]) => Ok(only),
        (None, _) => Err(Failure::Usage(format!("say which shop with --shop: {}", names(desk)))),
    }
}

fn configured<'d>(desk: &'d Desk, name: &str) -> Result<&'d Shop, Failure> {
    let shop = desk.config.shops.iter().find(|shop| shop.id.as_str() == name);
    shop.ok_or_else(|| Failure::Undone(format!("there is no shop {name:?}; there are: {}", names(desk))))
}

fn names(desk: &Desk) -> String {
    desk.config.shops.iter().map(|shop| shop.id.as_str()).collect::<Vec<_>>().join(", ")
}
