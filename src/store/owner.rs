//! Whose a file is. SQLite makes files beside the database, the daemon a lock, and whoever opens a queue as somebody else leaves some
//! that its owner cannot use any more: the daemon would not start again. So nobody but the owner opens it, root neither.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use super::StoreError;

/// Refuses a database that belongs to somebody else; where there is none yet, a folder that does.
///
/// # Errors
/// [`StoreError::Unusable`] with the command that does it right.
pub(super) fn check(database: &Path) -> Result<(), StoreError> {
    let folder = database.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let me = rustix::process::geteuid().as_raw();
    let owner = match fs::metadata(database) {
        Ok(found) => found.uid(),
        // In a folder of the system's anybody makes files of his own; root's would be in the way in a folder of somebody else's.
        Err(why) if why.kind() == ErrorKind::NotFound && me == 0 => match fs::metadata(folder) {
            Ok(found) => found.uid(),
            Err(_) => return Ok(()),
        },
        // Whoever opens it says what is wrong with it.
        Err(_) => return Ok(()),
    };
    if owner == me {
        return Ok(());
    }
    let name = fs::read_to_string("/etc/passwd").ok().and_then(|users| name_of(owner, &users));
    let (user, sudo) = match name {
        Some(name) => (name.clone(), name),
        None => (format!("user {owner}"), format!("'#{owner}'")),
    };
    Err(StoreError::Unusable {
        place: database.display().to_string(),
        why: format!(
            "it is {user}'s, and anybody else would leave files beside it that {user} cannot use; run the command so: \
             sudo -u {sudo} invited …"
        ),
    })
}

fn name_of(uid: u32, users: &str) -> Option<String> {
    let named = |line: &str| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)?.parse() == Ok(uid)).then(|| name.to_owned())
    };
    users.lines().find_map(named)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_is_named_by_the_systems_list() {
        let users =
            "root:x:0:0:root:/root:/bin/bash\nbroken\ninvited:x:999:998:Feedback:/var/lib/invited:/usr/sbin/nologin\n";
        assert_eq!(name_of(999, users).as_deref(), Some("invited"));
        assert_eq!(name_of(0, users).as_deref(), Some("root"));
        assert_eq!(name_of(998, users), None);
    }
}
