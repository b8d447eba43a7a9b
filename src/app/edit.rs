//! Changing a configuration file in place: what a person wrote around the changed value stays as it is, and whoever reads the file
//! sees the old one or the new one.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _, fchown};
use std::path::{Path, PathBuf};

use toml_edit::{Array, DocumentMut, Item, Table, Value};

use super::files::read_config_file;
use crate::config::{self, Config};
use crate::document::{Document, Problem};
use crate::domain::ShopId;

/// Why a file was not changed.
#[derive(Debug, thiserror::Error)]
pub enum NotEdited {
    /// The file is wrong as it stands, or would be.
    #[error("the configuration cannot be used")]
    Problems(Vec<Problem>),
    /// It is written in a way that is not changed by a program.
    #[error("{0}; change it by hand")]
    Shape(String),
    /// Somebody else changed it.
    #[error("{} was changed by somebody else meanwhile; nothing was written", .0.display())]
    Changed(PathBuf),
    /// It cannot be written.
    #[error("{} cannot be written: {}; run as the user who owns it, or as root", .0.display(), .1)]
    Io(PathBuf, io::Error),
}

/// What is done to a shop's secrets.
#[derive(Debug, Clone, Copy)]
pub enum SecretsEdit<'s> {
    /// This one is put in front of the others: mail to all of them is taken in.
    InFront(&'s str),
    /// This one is taken away.
    Without(&'s str),
}

/// Changes the secrets of a shop's BCC addresses in a configuration file. Comments and order stay, and so do the file's owner and
/// rights. What comes out is checked before anything is written. The configuration as it is then.
///
/// # Errors
/// When nothing was changed.
pub fn edit_secrets(path: &Path, shop: &ShopId, edit: SecretsEdit<'_>) -> Result<Config, NotEdited> {
    // Behind a link it is the file that is changed, and not the link.
    let path = &fs::canonicalize(path).map_err(|error| NotEdited::Io(path.to_owned(), error))?;
    let before = read_config_file(path).map_err(|problem| NotEdited::Problems(vec![problem]))?;
    let after = edited(before.text(), shop, edit).map_err(NotEdited::Shape)?;
    let folder = path.parent().unwrap_or(Path::new("/"));
    let config = config::parse(&Document::new(before.file(), after.as_str()), folder).map_err(NotEdited::Problems)?;
    replace(path, before.text(), &after)?;
    Ok(config)
}

/// The text with the shop's secrets changed.
fn edited(text: &str, shop: &ShopId, edit: SecretsEdit<'_>) -> Result<String, String> {
    let mut document = text.parse::<DocumentMut>().map_err(|error| format!("it is no TOML: {}", error.message()))?;
    let shops = document.get_mut("shop").and_then(Item::as_array_of_tables_mut);
    let shops = shops.ok_or("the shops are not written as [[shop]]")?;
    let is_meant = |table: &&mut Table| {
        table.get("id").and_then(Item::as_str).and_then(|id| ShopId::parse(id).ok()).as_ref() == Some(shop)
    };
    let table = shops.iter_mut().find(is_meant).ok_or_else(|| format!("there is no [[shop]] with the id {shop}"))?;
    let secrets = table.get_mut("secrets").and_then(Item::as_value_mut).ok_or("the shop has no secrets")?;
    if secrets.is_str() {
        let only = secrets.clone();
        let mut list = Array::new();
        *list.decor_mut() = only.decor().clone();
        list.push(only.decorated("", ""));
        *secrets = Value::Array(list);
    }
    let list = secrets.as_array_mut().ok_or("the secrets are no list")?;
    match edit {
        SecretsEdit::InFront(secret) => put_in_front(list, secret),
        SecretsEdit::Without(secret) => {
            list.retain(|one| one.as_str().is_none_or(|one| !one.eq_ignore_ascii_case(secret)));
            if let Some(first) = list.get_mut(0).filter(|first| !is_on_its_own_line(first)) {
                first.decor_mut().set_prefix("");
            }
        }
    }
    Ok(document.to_string())
}

fn is_on_its_own_line(value: &Value) -> bool {
    value.decor().prefix().and_then(|prefix| prefix.as_str()).is_some_and(|prefix| prefix.contains('\n'))
}

fn put_in_front(list: &mut Array, secret: &str) {
    let mut first = Value::from(secret);
    if let Some(before) = list.get_mut(0) {
        if is_on_its_own_line(before) {
            // A comment above it stays with it.
            let indent = before.decor().prefix().and_then(|prefix| prefix.as_str()).unwrap_or_default();
            let indent = indent.rsplit_once('\n').map_or("", |(_, indent)| indent);
            first.decor_mut().set_prefix(format!("\n{indent}"));
        } else {
            before.decor_mut().set_prefix(" ");
        }
    }
    list.insert_formatted(0, first);
}

/// Puts a text in the place of a file that still has the text `before`.
fn replace(path: &Path, before: &str, after: &str) -> Result<(), NotEdited> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    let new = path.with_file_name(name);
    let failed = |error| NotEdited::Io(path.to_owned(), error);
    let there = fs::metadata(path).map_err(failed)?;
    let written = write_like(&new, &there, after);
    let unchanged = written.and_then(|()| Ok(fs::read_to_string(path)? == before));
    let moved = match unchanged {
        Ok(true) => fs::rename(&new, path).map_err(failed),
        Ok(false) => Err(NotEdited::Changed(path.to_owned())),
        Err(error) => Err(failed(error)),
    };
    if moved.is_err() {
        let _ = fs::remove_file(&new);
        return moved;
    }
    // The name is durable with its folder.
    path.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all()).map_err(failed)
}

/// Writes a new file with the owner and the rights of another. Nobody else can read it before it has them.
fn write_like(path: &Path, like: &fs::Metadata, text: &str) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    let own = file.metadata()?;
    if (own.uid(), own.gid()) != (like.uid(), like.gid()) {
        fchown(&file, Some(like.uid()), Some(like.gid()))?;
    }
    file.set_permissions(fs::Permissions::from_mode(like.mode() & 0o7777))?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shop() -> ShopId {
        ShopId::parse("nord").unwrap()
    }

    #[test]
    fn a_secret_comes_and_goes_and_all_around_it_stays() {
        let around = |secrets: &str| {
            format!(
                "# ours\ndatabase = \"x\"\n\n[[shop]]\nid = \"ost\"\nsecrets = \"ost\"\n\n[[shop]]\nid = \"nord\" # here\n\
                 # the address\n{secrets}\nname = 'N'\n\n[shop.policy]\ndelay = \"7 days\"\n"
            )
        };
        for (before, rotated) in [
            ("secrets = \"old\" # leaked?", "secrets = [\"new\", \"old\"] # leaked?"),
            ("secrets = [\"old\"]", "secrets = [\"new\", \"old\"]"),
            ("secrets = [ 'old', \"older\" ]", "secrets = [\"new\", 'old', \"older\" ]"),
            (
                "secrets = [\n    # since May\n    \"old\",\n    \"older\",\n]",
                "secrets = [\n    \"new\",\n    # since May\n    \"old\",\n    \"older\",\n]",
            ),
        ] {
            let after = edited(&around(before), &shop(), SecretsEdit::InFront("new")).unwrap();
            assert_eq!(after, around(rotated));
            let back = edited(&after, &shop(), SecretsEdit::Without("new")).unwrap();
            let list = back.parse::<DocumentMut>().unwrap();
            let list =
                list["shop"][1]["secrets"].as_array().unwrap().iter().filter_map(Value::as_str).collect::<Vec<_>>();
            assert!(list == ["old"] || list == ["old", "older"], "{list:?}");
        }
        assert!(edited("shop = [{ id = \"nord\" }]", &shop(), SecretsEdit::InFront("new")).is_err());
        assert!(edited("[[shop]]\nid = \"ost\"", &shop(), SecretsEdit::InFront("new")).is_err());
    }

    #[test]
    fn a_file_keeps_its_rights_and_is_left_alone_when_somebody_else_changed_it() {
        let folder = tempfile::tempdir().unwrap();
        let (path, link) = (folder.path().join("invited.toml"), folder.path().join("link.toml"));
        let text = include_str!("../../config/minimal.toml");
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        std::os::unix::fs::symlink(&path, &link).unwrap();
        let shop = config::parse(&Document::new("x", text), folder.path()).unwrap().shops[0].id.clone();
        let new = "abcdefgh23456789abcd";
        let config = edit_secrets(&link, &shop, SecretsEdit::InFront(new)).unwrap();
        assert_eq!((config.shops[0].secrets.len(), config.shops[0].secrets[0].as_str()), (2, new));
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o7777, 0o640);
        let changed = fs::read_to_string(&path).unwrap();
        assert!(matches!(replace(&path, text, "other"), Err(NotEdited::Changed(_))));
        assert!(matches!(edit_secrets(&path, &shop, SecretsEdit::InFront("short")), Err(NotEdited::Problems(_))));
        assert_eq!(fs::read_to_string(&path).unwrap(), changed);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2, "nothing is left beside it");
    }
}
