use std::os::unix::net::UnixListener as Plain;

use super::*;
use crate::config::Access;
use chronolease_net::random;

/// A folder of its own that goes away with the test.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Self {
        let name = format!("chronolease-socket-{:016x}", u64::from_be_bytes(random::bytes()));
        let folder = std::env::temp_dir().join(name);
        fs::create_dir(&folder).expect("the folder for temporary files is writable");
        Self(folder)
    }

    fn config(&self, access: Access) -> SocketConfig {
        SocketConfig { path: self.0.join("clock.sock"), access, clients_max: 1 }
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[tokio::test]
async fn the_file_has_its_permissions_and_goes_away() {
    let scratch = Scratch::new();
    for access in [Access::Owner, Access::Group] {
        let config = scratch.config(access);
        let socket = Socket::bind(&config).await.expect("nothing is there");
        let mode = fs::metadata(&config.path).expect("it is there").permissions().mode();
        assert_eq!(mode & 0o777, access.mode());
        UnixStream::connect(&config.path).await.expect("it listens");
        drop(socket);
        let left: Vec<_> = fs::read_dir(&scratch.0).expect("ours").collect();
        assert_eq!(left.len(), 1, "the lock alone: {left:?}");
    }
}

#[tokio::test]
async fn what_a_dead_process_left_is_replaced() {
    let scratch = Scratch::new();
    let config = scratch.config(Access::Owner);
    drop(Plain::bind(&config.path).expect("ours"));
    drop(Plain::bind(beside(&config.path, ".new")).expect("ours"));
    assert!(config.path.exists(), "a socket's file stays when its process ends");
    let _socket = Socket::bind(&config).await.expect("nobody serves it");
    UnixStream::connect(&config.path).await.expect("it listens");
}

#[tokio::test]
async fn a_living_one_is_refused_and_lives_on() {
    let scratch = Scratch::new();
    let config = scratch.config(Access::Owner);
    let first = Socket::bind(&config).await.expect("nothing is there");
    assert!(matches!(Socket::bind(&config).await, Err(SocketError::Taken(_))));
    UnixStream::connect(&config.path).await.expect("the first still listens");
    drop(first);
    // A stranger's, which knows no lock.
    let _stranger = Plain::bind(&config.path).expect("ours");
    assert!(matches!(Socket::bind(&config).await, Err(SocketError::Taken(_))));
    UnixStream::connect(&config.path).await.expect("the stranger still listens");
}

#[tokio::test]
async fn what_is_no_socket_is_left_alone() {
    let scratch = Scratch::new();
    let config = scratch.config(Access::Owner);
    fs::write(&config.path, "precious").expect("ours");
    assert!(matches!(Socket::bind(&config).await, Err(SocketError::NotASocket(_))));
    assert_eq!(fs::read(&config.path).expect("still there"), b"precious");
    fs::remove_file(&config.path).expect("ours");
    std::os::unix::fs::symlink("elsewhere", &config.path).expect("ours");
    assert!(matches!(Socket::bind(&config).await, Err(SocketError::NotASocket(_))));
}

#[tokio::test]
async fn a_missing_folder_is_named() {
    let scratch = Scratch::new();
    let path = scratch.0.join("missing/clock.sock");
    let config = SocketConfig { path, ..scratch.config(Access::Owner) };
    let error = Socket::bind(&config).await.expect_err("no folder").to_string();
    assert!(error.contains("missing/.clock.sock.lock"), "{error}");
}
