//! Several processes and users on one file: who has the lock, what is left of one that was killed, and whose the file is.

use super::*;

#[tokio::test]
async fn one_daemon_at_a_time_and_the_desk_beside_it() {
    let place = Place::new().await;
    let daemon = place.daemon().await.unwrap();
    assert_eq!(place.daemon().await.unwrap_err(), StoreError::Taken { pid: std::process::id() });
    let desk = place.open().await;
    let (one, two) = tokio::join!(daemon.spool(vec![mail("nord", b"1")]), desk.spool(vec![mail("nord", b"2")]));
    assert_ne!(one.unwrap(), two.unwrap());
    assert_eq!(daemon.counts().await.unwrap().unread, 2);
    daemon.close().await;
    place.daemon().await.unwrap().close().await;
}

#[tokio::test]
async fn the_lock_ends_with_the_process_that_has_it() {
    if let Some(path) = childs_path() {
        let _lock = DaemonLock::acquire(&path).unwrap();
        println!("\nlocked.");
        std::thread::park();
    }
    let place = Place::new().await;
    let mut first = child("processes::the_lock_ends_with_the_process_that_has_it", &place.path).spawn().unwrap();
    heard(&mut first, "locked");
    let link = place.path.with_file_name("link.db");
    std::os::unix::fs::symlink(&place.path, &link).unwrap();
    for path in [&place.path, &link] {
        assert_eq!(DaemonLock::acquire(path).unwrap_err(), StoreError::Taken { pid: first.id() });
    }
    first.kill().unwrap();
    first.wait().unwrap();
    DaemonLock::acquire(&place.path).unwrap();
}

#[tokio::test]
async fn a_killed_daemon_loses_nothing_that_it_acknowledged() {
    if let Some(path) = childs_path() {
        let store = open_store(&Database::Sqlite(path), None, Role::Desk).await.unwrap();
        for written in 1.. {
            let spooling = (0..20).map(|_| store.spool(vec![mail("nord", &noise(2000))]));
            futures_util::future::try_join_all(spooling).await.unwrap();
            println!("\nacknowledged {}", written * 20);
        }
    }
    let place = Place::new().await;
    let mut daemon =
        child("processes::a_killed_daemon_loses_nothing_that_it_acknowledged", &place.path).spawn().unwrap();
    let mut acknowledged = 0;
    while acknowledged < 200 {
        acknowledged = heard(&mut daemon, "acknowledged ").parse().unwrap();
    }
    daemon.kill().unwrap();
    daemon.wait().unwrap();
    let store = place.daemon().await.unwrap();
    assert!(store.counts().await.unwrap().unread >= acknowledged);
    store.check().await.unwrap();
}

#[tokio::test]
async fn what_this_user_may_not_write_is_refused_with_the_reason() {
    if let Some(path) = childs_path() {
        let refused = open_store(&Database::Sqlite(path.clone()), None, Role::Desk).await.unwrap_err();
        println!("\nrefused: {refused}");
        return;
    }
    // Root may write anywhere, so the test runs itself again as nobody.
    if fs::metadata("/proc/self").unwrap().uid() != 0 {
        eprintln!("skipped: needs root to become another user");
        return;
    }
    let place = Place::new().await;
    let folder = place.path.parent().unwrap();
    const NOBODY: u32 = 65534;
    let refused = |owner: u32, file: u32, dir: u32| {
        std::os::unix::fs::chown(&place.path, Some(owner), None).unwrap();
        fs::set_permissions(&place.path, fs::Permissions::from_mode(file)).unwrap();
        fs::set_permissions(folder, fs::Permissions::from_mode(dir)).unwrap();
        let mut command = child("processes::what_this_user_may_not_write_is_refused_with_the_reason", &place.path);
        command.uid(NOBODY).gid(NOBODY).output().map(|output| String::from_utf8(output.stdout).unwrap())
    };
    for (owner, file, dir, expected) in [
        (NOBODY, 0o400, 0o777, "cannot be opened for writing"),
        (NOBODY, 0o600, 0o755, "folder cannot be written"),
        (0, 0o600, 0o777, "it is root's"),
        (0, 0o666, 0o777, "sudo -u root invited"),
    ] {
        let Ok(said) = refused(owner, file, dir) else {
            eprintln!("skipped: the test binary lies where nobody else may run it");
            return;
        };
        assert!(said.contains(expected), "{owner} {file:o} {dir:o}: {said}");
    }
}

#[tokio::test]
async fn root_leaves_a_queue_of_somebody_else_alone_and_makes_none_in_his_folder() {
    if fs::metadata("/proc/self").unwrap().uid() != 0 {
        eprintln!("skipped: needs root to give a file to another user");
        return;
    }
    let place = Place::new().await;
    let folder = place.path.parent().unwrap();
    std::os::unix::fs::chown(&place.path, Some(4711), None).unwrap();
    for role in [Role::Desk, Role::Daemon] {
        let refused = open_store(&place.database(), None, role).await.unwrap_err();
        assert!(
            why(&refused).contains("it is user 4711's") && why(&refused).contains("sudo -u '#4711' invited"),
            "{refused}"
        );
    }
    let names = fs::read_dir(folder).unwrap().map(|one| one.unwrap().file_name()).collect::<Vec<_>>();
    assert_eq!(names, ["invited.db"], "neither a lock nor a log is left behind");
    std::os::unix::fs::chown(folder, Some(4711), None).unwrap();
    let new = Database::Sqlite(folder.join("new.db"));
    assert!(why(&create_if_missing(&new, None).await.unwrap_err()).contains("sudo -u '#4711' invited"));
    assert!(!folder.join("new.db").exists());
}
