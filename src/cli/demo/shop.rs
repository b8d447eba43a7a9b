//! The demo's sample shop and its sample mails.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use crate::app::load_config;
use crate::config::{self, Answers, Config};
use crate::store;

use crate::cli::Failure;
use crate::cli::init::{new_secret, write_master_key, write_private};

/// Order mails of different platforms, written for this project.
pub(super) fn samples() -> impl Iterator<Item = (&'static str, &'static [u8])> {
    [
        (
            "WooCommerce, order, Swedish",
            &include_bytes!("../../../tests/fixtures/mail/woocommerce/placed-sv-1.eml")[..],
        ),
        ("Magento 2, order, English", include_bytes!("../../../tests/fixtures/mail/magento2/placed-en-1.eml")),
        ("PrestaShop, order, French", include_bytes!("../../../tests/fixtures/mail/prestashop/placed-fr-1.eml")),
        ("Shopify, shipment, English", include_bytes!("../../../tests/fixtures/mail/shopify/shipped-en-1.eml")),
        ("Sylius, order, German", include_bytes!("../../../tests/fixtures/mail/sylius/placed-de-1.eml")),
    ]
    .into_iter()
}

/// A configuration of which the delay is nothing, so that letters fall due at once. A folder that has one already keeps its
/// database and secret; its addresses are written anew.
pub(super) async fn set_up(folder: &Path, listen: &str, relay: SocketAddr) -> Result<Config, Failure> {
    fs::create_dir_all(folder)?;
    let path = folder.join("invited.toml");
    let secret = match load_config(&path) {
        Ok(config) => config.shops.first().and_then(|shop| shop.secrets.first()).cloned().unwrap_or_else(new_secret),
        Err(_) => new_secret(),
    };
    let mut answers = Answers::new("demo.example", &secret);
    answers.ingest_domain = "in.demo.example".to_owned();
    answers.hostname = "in.demo.example".to_owned();
    answers.shop_name = "The Demo Shop".to_owned();
    answers.listen = listen.to_owned();
    answers.relay = format!("smtp://{relay}");
    answers.link = "own".to_owned();
    answers.pages = Some(("http://127.0.0.1:0".to_owned(), "127.0.0.1:0".to_owned()));
    answers.delay = Duration::ZERO;
    answers.at_any_hour = true;
    answers.believe_address = true;
    write_private(&path, &config::template(&answers), true)?;
    let key = folder.join("master.key");
    if !key.exists() {
        write_master_key(&key)?;
    }
    let config = load_config(&path).map_err(Failure::Config)?;
    store::create_if_missing(&config.database, None).await?;
    Ok(config)
}
