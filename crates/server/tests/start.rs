//! A server inside a process: starts, answers, stops, and gives its data back.
#![allow(clippy::unwrap_used)]

use std::path::Path;
use std::sync::Arc;

use serde_json::{Value, json};
use server::admin::{self, Answer, Handler, Progress, Refused};
use server::settings::Listen;
use server::{LockError, Node, OpenError, Server, Settings, StartError};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

fn settings(data: &Path) -> Settings {
    let any = vec!["127.0.0.1:0".parse().unwrap()];
    let listen = Listen { imap: any.clone(), imaps: any.clone(), lmtp: any, ..Listen::none() };
    Settings { data: data.to_owned(), listen, ..Settings::default() }
}

struct Echo;

impl Handler for Echo {
    fn handle(&self, _: Arc<Node>, request: Value, progress: Progress) -> Answer {
        Box::pin(async move {
            progress(json!(1));
            if request == json!("for ever") {
                std::future::pending::<()>().await;
            }
            progress(json!(2));
            match request.get("refuse") {
                Some(_) => Err(Refused::new("refused", "as you wish")),
                None => Ok(request),
            }
        })
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn it_starts_and_stops_and_starts_again() {
    let home = tempfile::tempdir().unwrap();
    for _ in 0..2 {
        let handle = Server::start(settings(home.path()), None).await.unwrap();
        let busy = Server::start(settings(home.path()), None).await.err();
        let held = |error: &StartError| {
            matches!(
                error,
                StartError::Open(OpenError::Locked { error: LockError::Held { .. }, .. })
            )
        };
        assert!(busy.as_ref().is_some_and(held), "{busy:?}");
        let mut clients = Vec::new();
        for address in [&handle.addresses().imap, &handle.addresses().lmtp] {
            let mut client = BufReader::new(TcpStream::connect(address[0]).await.unwrap());
            let mut greeting = String::new();
            client.read_line(&mut greeting).await.unwrap();
            assert!(greeting.starts_with("* OK") || greeting.starts_with("220"), "{greeting}");
            clients.push(client);
        }
        handle.reload().await;
        handle.stop().await;
        for mut client in clients {
            let mut rest = String::new();
            client.read_to_string(&mut rest).await.unwrap();
            assert!(rest.starts_with("* BYE") || rest.starts_with("421"), "{rest}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_admin_socket_answers_its_owner() {
    let home = tempfile::tempdir().unwrap();
    let data = home.path().to_owned();
    let handle = Server::start(settings(&data), Some(Arc::new(Echo))).await.unwrap();
    let call = |request: Value| {
        let data = data.clone();
        tokio::task::spawn_blocking(move || {
            let mut news = Vec::new();
            let answer = admin::connect(&data).unwrap().call(&request, |value| news.push(value));
            (answer.unwrap(), news)
        })
    };
    let (answer, news) = call(json!({ "op": "x" })).await.unwrap();
    assert_eq!((answer, news), (Ok(json!({ "op": "x" })), vec![json!(1), json!(2)]));
    let (answer, _) = call(json!({ "refuse": 1 })).await.unwrap();
    assert_eq!(answer, Err(Refused::new("refused", "as you wish")));
    // Nonsense is answered, and a request without an end ends with the server.
    let mut raw = tokio::net::UnixStream::connect(data.join("admin.sock")).await.unwrap();
    raw.write_all(b"nonsense\n").await.unwrap();
    let mut text = String::new();
    raw.read_to_string(&mut text).await.unwrap();
    assert!(text.starts_with("{\"error\":{\"kind\":\"protocol\""), "{text}");
    let mut waiting = tokio::net::UnixStream::connect(data.join("admin.sock")).await.unwrap();
    waiting.write_all(b"\"for ever\"\n").await.unwrap();
    // It is being worked on when the server stops.
    let mut waiting = BufReader::new(waiting);
    text.clear();
    waiting.read_line(&mut text).await.unwrap();
    assert!(text.contains("progress"), "{text}");
    handle.stop().await;
    text.clear();
    waiting.read_to_string(&mut text).await.unwrap();
    assert_eq!(text, "");
    assert!(admin::connect(&data).is_err());
}

/// Where the files engine keeps the list of accounts used lately.
fn used(data: &Path) -> std::path::PathBuf {
    let zeros = "0".repeat(32);
    data.join(format!("accounts/00/{zeros}/cache/search/used"))
}

#[tokio::test(flavor = "multi_thread")]
async fn accounts_used_before_the_stop_are_open_after_the_start() {
    let home = tempfile::tempdir().unwrap();
    let data = home.path();
    let handle = Server::start(settings(data), None).await.unwrap();
    assert_eq!(handle.prepared().await, 0);
    let mut ids = Vec::new();
    for name in ["alice", "bob", "carol"] {
        ids.push(handle.node().directory().add_account(name, None).await.unwrap());
    }
    // Two of them, the last one still in use.
    handle.stop().await;
    std::fs::remove_file(used(data)).unwrap();
    let handle = Server::start(settings(data), None).await.unwrap();
    assert_eq!(handle.prepared().await, 0, "without the list");
    let accounts = Arc::clone(handle.node().accounts());
    assert_eq!(accounts.in_memory().0, 0);
    drop(accounts.open(ids[1]).await.unwrap());
    let live = accounts.open(ids[0]).await.unwrap();
    handle.stop().await;
    drop((live, accounts));

    let handle = Server::start(settings(data), None).await.unwrap();
    assert_eq!(handle.prepared().await, 2);
    let accounts = handle.node().accounts();
    assert_eq!(accounts.used(9), [ids[0], ids[1]]);
    // Nobody used them since: they are on the list all the same. One is removed without the server.
    handle.stop().await;
    let node = Node::open(settings(data)).await.unwrap();
    node.directory().remove_account("alice").await.unwrap();
    node.close().await;
    drop(node);
    let handle = Server::start(settings(data), None).await.unwrap();
    assert_eq!(handle.prepared().await, 1, "one of them is gone");
    assert_eq!(handle.node().accounts().used(9), [ids[1]]);
    handle.stop().await;

    let mut limited = settings(data);
    limited.limits.prepared_accounts_max = 0;
    let handle = Server::start(limited, None).await.unwrap();
    assert_eq!((handle.prepared().await, handle.node().accounts().in_memory().0), (0, 0));
    handle.stop().await;
    // What is large is left to its client.
    let handle = Server::start(settings(data), None).await.unwrap();
    drop(handle.node().accounts().open(ids[1]).await.unwrap());
    handle.stop().await;
    let mut small = settings(data);
    small.limits.idle_accounts_bytes_max = 1024;
    let handle = Server::start(small, None).await.unwrap();
    assert_eq!(handle.prepared().await, 0);
    assert_eq!(handle.node().accounts().in_memory().0, 0);
    handle.stop().await;
    std::fs::write(used(data), b"nonsense").unwrap();
    let handle = Server::start(settings(data), None).await.unwrap();
    assert_eq!(handle.prepared().await, 0);
    handle.stop().await;
}
