//! How a page is looked at: as a picture at two widths in two schemes of colours, by axe-core, and by what it made the browser do.

use std::path::PathBuf;

use serde_json::Value;

use crate::driver::{AXE, Browser, Heard};

/// The widths in CSS pixels and the schemes that every page is looked at in.
const LOOKS: [(u32, &str); 4] = [(375, "light"), (375, "dark"), (1280, "light"), (1280, "dark")];

/// Where pictures go.
fn folder() -> PathBuf {
    let named = std::env::var_os("INVITED_SCREENSHOTS").map(PathBuf::from);
    named.unwrap_or_else(|| PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/target/screenshots")))
}

/// Takes the page's picture in every look, under this name, and checks it in each: nothing to scroll sideways, and nothing that axe-core
/// calls serious or critical.
pub(crate) async fn look_at(browser: &Browser, name: &str) {
    let axe = std::fs::read_to_string(AXE).unwrap();
    browser.script(&axe).await;
    for (width, scheme) in LOOKS {
        browser.look_as(width, scheme).await;
        keep(name, width, scheme, &browser.picture().await);
        let across = sideways(browser).await;
        assert_eq!(across, [] as [String; 0], "{name} at {width} pixels is wider than the window");
        let findings = findings(browser).await;
        assert_eq!(findings, [] as [String; 0], "{name} at {width} pixels, {scheme}");
    }
}

/// What reaches beyond the window's right or left edge.
pub(crate) async fn sideways(browser: &Browser) -> Vec<String> {
    let found = browser
        .script(
            "const root = document.documentElement;
             if (root.scrollWidth <= root.clientWidth) return [];
             const wide = [...document.querySelectorAll('body *')]
                 .filter(one => one.getBoundingClientRect().right > root.clientWidth)
                 .map(one => one.outerHTML.slice(0, 120));
             return [`${root.scrollWidth} of ${root.clientWidth}`, ...wide];",
        )
        .await;
    found.as_array().unwrap().iter().map(|one| one.as_str().unwrap().to_owned()).collect()
}

/// What axe-core, which was injected, calls serious or critical, and the elements it means.
pub(crate) async fn findings(browser: &Browser) -> Vec<String> {
    let found = browser
        .script_later(
            "const done = arguments[arguments.length - 1];
             axe.run(document, { resultTypes: ['violations'] }).then(
                 result => done(result.violations), error => done([{ id: String(error), impact: 'critical', nodes: [] }]));",
        )
        .await;
    let is_bad = |finding: &&Value| matches!(finding["impact"].as_str(), Some("serious" | "critical"));
    let told = |finding: &Value| {
        let nodes = finding["nodes"].as_array().unwrap().iter();
        let nodes = nodes.map(|node| format!("{}: {}", node["html"], node["failureSummary"])).collect::<Vec<_>>();
        format!("{}: {} {}", finding["id"], finding["help"], nodes.join("; "))
    };
    found.as_array().unwrap().iter().filter(is_bad).map(told).collect()
}

fn keep(name: &str, width: u32, scheme: &str, picture: &[u8]) {
    let folder = folder();
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join(format!("{name}-{width}-{scheme}.png")), picture).unwrap();
}

/// Checks that everything asked for since the last look lies below `base`, and that the console is empty.
pub(crate) async fn nothing_else_was_asked_for(browser: &Browser, base: &str) {
    let Heard { requests, complaints } = browser.heard().await;
    let elsewhere = requests.iter().filter(|url| !url.starts_with(base)).collect::<Vec<_>>();
    assert!(!requests.is_empty(), "the browser tells of its requests");
    assert_eq!(elsewhere, [] as [&String; 0], "only the page's own house is asked");
    assert_eq!(complaints, [] as [String; 0]);
}

/// The same of a page whose status is no success, which the console tells of, and nothing else.
pub(crate) async fn nothing_but_the_status_is_complained_of(browser: &Browser, base: &str) {
    let Heard { requests, complaints } = browser.heard().await;
    assert!(!requests.is_empty() && requests.iter().all(|url| url.starts_with(base)), "{requests:?}");
    let is_status = |one: &String| one.contains("the server responded with a status of ");
    assert!(!complaints.is_empty() && complaints.iter().all(is_status), "{complaints:?}");
}
