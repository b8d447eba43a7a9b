//! Pages as customers get them.

use crate::document::Problems;
use crate::wording::{Edition, Layer};

use super::words::PageFolder;
use super::{shipped, trial};

fn edition() -> Edition {
    let problems = Problems::default();
    let layer = Layer::shipped::<PageFolder>("templates/pages", shipped::FILES);
    let edition = Edition::compile::<PageFolder>(&[layer], &problems);
    assert!(problems.is_empty(), "{:#?}", problems.into_sorted());
    edition
}

#[test]
fn the_shipped_pages_have_no_fault() {
    let problems = Problems::default();
    trial::run(&edition(), &problems);
    let found: Vec<_> = problems.into_sorted().iter().map(ToString::to_string).collect();
    assert!(found.is_empty(), "{}", found.join("\n"));
}
