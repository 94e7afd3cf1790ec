//! The index does what it is for: it narrows, it stays small, and it forgets what is gone.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use common::World;
use message::search::{Needle, Want};
use testkit::mail;

fn body(text: &str) -> Want {
    Want::Body(Needle::new(text))
}

fn marked(seed: u64, word: &str) -> Vec<u8> {
    let mut message = mail::message(seed);
    let end = message.windows(4).position(|w| w == b"\r\n\r\n").unwrap() + 4;
    if message[..end].windows(9).any(|w| w == b"multipart") {
        message = format!("Subject: {seed}\r\n\r\n").into_bytes();
    }
    message.extend_from_slice(word.as_bytes());
    message
}

fn full(count: u64) -> World {
    let mut world = World::new();
    world.append((0..count).map(mail::message));
    world.append((0..3).map(|n| marked(10_000 + n, "Zyzzyva und 日本語のメール")));
    world
}

#[test]
fn rare_words_are_scanned_alone() {
    let world = full(500);
    let library = world.library();
    assert_eq!(world.check(&library, &body("zyzzyva")), (3, 503), "nothing is indexed");
    let progress = world.update(&library);
    assert_eq!((progress.done, progress.total), (503, 503));
    for (want, found, scanned) in [
        (body("zyzzyva"), 3, 3),
        (body("ZYZ"), 3, 3),
        (body("zy"), 3, 3),
        (body("メール"), 3, 3),
        (body("日"), 3, 3),
        (body("nowhere"), 0, 0),
        (Want::Text(Needle::new("zyzzyva")), 3, 3),
        (Want::Header { field: "SUBJECT".into(), needle: Needle::new("zyzzyva") }, 0, 0),
        (Want::Header { field: "X-Other".into(), needle: Needle::new("zyzzyva") }, 0, 0),
        (Want::Header { field: "From".into(), needle: Needle::new("") }, 500, 503),
    ] {
        let (matching, candidates) = world.check(&library, &want);
        assert!(matching >= found && candidates <= scanned.max(matching), "{want:?}");
    }
    let from = Want::Header { field: "From".into(), needle: Needle::new("lovelace") };
    let (matching, candidates) = world.check(&library, &from);
    assert!(matching > 20 && candidates == matching, "{matching} {candidates}");
    // What comes later is scanned until it is indexed.
    let mut world = world;
    world.append([marked(1, "quokka")]);
    assert_eq!(world.check(&library, &body("quokka")), (1, 1));
    world.update(&library);
    assert_eq!(world.check(&library, &body("quokka")), (1, 1));
    assert_eq!(world.check(&library, &body("zyzzyva")), (3, 3));
}

#[test]
fn of_many_questions_the_first_are_narrowed() {
    let world = full(20);
    let library = world.library();
    world.update(&library);
    let wants = vec![body("nowhere"); 1000];
    let answers = storage::conformance::block_on(library.ask(common::id(), &wants));
    let id = world.messages[0].0;
    assert!(answers.excludes(0, id) && !answers.excludes(999, id));
}

#[test]
fn stays_below_its_share_of_the_text() {
    let world = full(2000);
    let library = world.library();
    world.update(&library);
    let files: usize = world.files().iter().map(|(_, bytes)| bytes.len()).sum();
    let text: usize = world.messages.iter().map(|(_, message)| message.len()).sum();
    println!("{files} bytes for {text}: {} %", files * 100 / text);
    assert!(files * 100 <= text * 30, "{files} bytes for {text}");
}

#[test]
fn small_segments_become_large_ones_and_the_dead_leave() {
    let mut world = World::new();
    let library = world.library();
    for batch in 0..20u64 {
        world.append((0..30).map(|n| mail::message(batch * 30 + n)));
        world.update(&library);
    }
    assert!(world.files().len() <= 6, "{} files", world.files().len());
    for word in ["invoice", "garden", "nothing"] {
        world.check(&library, &body(word));
    }
    let before: usize = world.files().iter().map(|(_, bytes)| bytes.len()).sum();
    world.expunge(550);
    world.update(&library);
    let after: usize = world.files().iter().map(|(_, bytes)| bytes.len()).sum();
    assert!(after * 3 < before, "{before} {after}");
    world.check(&library, &body("invoice"));
    world.check(&world.library(), &body("invoice"));
    world.expunge(50);
    world.update(&library);
    assert_eq!(world.files(), []);
}

#[test]
fn an_update_can_be_ended() {
    let world = full(200);
    let library = world.library();
    let mut steps = 0;
    let mut twice = |_| -> storage::Task<'static, bool> {
        steps += 1;
        Box::pin(std::future::ready(steps < 2))
    };
    let update = library.update(common::id(), &world.state, 1, &mut twice);
    let progress = storage::conformance::block_on(update).unwrap();
    assert!(progress.done > 0 && progress.done < progress.total);
    let rest = world.update(&library);
    assert_eq!(rest.total, progress.total - progress.done);
    assert_eq!(world.update(&library).total, 0);
}

#[test]
fn what_is_complete_is_marked() {
    let mut world = full(30);
    let library = world.library();
    let complete = |world: &World, library: &index::Library| {
        storage::conformance::block_on(library.is_complete(common::id(), world.state.head()))
            .unwrap()
    };
    let status = |world: &World, library: &index::Library| {
        storage::conformance::block_on(library.status(common::id(), &world.state)).unwrap()
    };
    assert!(!complete(&world, &library));
    assert_eq!((status(&world, &library).indexed, status(&world, &library).waiting), (0, 33));
    world.update(&library);
    assert!(complete(&world, &library) && complete(&world, &world.library()));
    let told = status(&world, &library);
    assert_eq!((told.indexed, told.waiting, told.documents, told.segments), (33, 0, 33, 1));
    assert_eq!((told.upto, told.unreadable), (Some(world.state.head()), 0));
    assert_eq!(told.index_bytes as usize, world.files()[0].1.len());
    world.append([marked(1, "quokka")]);
    assert!(!complete(&world, &library));
    assert_eq!(status(&world, &library).waiting, 1);
    world.update(&library);
    assert!(complete(&world, &library));
    // Whatever happens to the segments, the mark is not believed.
    let (name, _) = world.files().remove(0);
    storage::conformance::block_on(storage::Storage::cache_remove(
        &*world.storage,
        common::id(),
        &name,
    ))
    .unwrap();
    assert!(!complete(&world, &world.library()));
}

#[test]
fn what_another_mailbox_has_stays() {
    let mut world = World::new();
    world.append((0..300).map(mail::message));
    let library = world.library();
    world.update(&library);
    world.move_away(200);
    world.expunge(100);
    assert_eq!(world.update(&library).done, 0);
    let before = world.status(&library);
    assert_eq!((before.indexed, before.waiting), (200, 0));
    // The same content again, whether or not it was dropped.
    world.append((0..300).map(mail::message));
    world.update(&library);
    let after = world.status(&library);
    assert_eq!((after.indexed, after.waiting), (300, 0));
    world.delete_other();
    world.expunge(300);
    world.update(&library);
    assert_eq!(world.files(), []);
}

/// Words that nobody said before, so that an index is as large as it may be.
fn noise(seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut text = format!("Subject: noise {seed}\r\n\r\n").into_bytes();
    for at in 0..4000 {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        text.push(if at % 7 == 6 { b' ' } else { b'a' + (state >> 59) as u8 % 26 });
    }
    text
}

#[test]
fn segments_larger_than_a_piece_are_merged() {
    let mut world = World::new();
    let library = world.library();
    for batch in 0..5u64 {
        world.append((0..300).map(|n| noise(batch * 300 + n)));
        world.append([marked(batch, "zyzzyva")]);
        world.update(&library);
        let sizes: Vec<_> = world.files().iter().map(|(_, bytes)| bytes.len()).collect();
        assert!(sizes.iter().all(|&bytes| bytes > 270 * 1024), "{sizes:?}");
        assert!(sizes.len() < 4, "{sizes:?}");
    }
    let said = &world.messages[77].1;
    let word = std::str::from_utf8(&said[said.len() - 20..]).unwrap();
    let library = world.library();
    assert_eq!(world.check(&library, &body("zyzzyva")), (5, 5));
    let (matching, candidates) = world.check(&library, &body(word));
    assert!(matching == 1 && candidates <= 2, "{candidates}");
    assert!(world.check(&library, &body("zyzzyvas")).1 <= 2);
    let index: usize = world.files().iter().map(|(_, bytes)| bytes.len()).sum();
    let text: usize = world.messages.iter().map(|(_, message)| message.len()).sum();
    assert!(index * 100 <= text * 30, "{index} bytes for {text}");
}

#[test]
fn a_merge_can_be_ended() {
    let mut world = World::new();
    let library = world.library();
    for batch in 0..4u64 {
        world.append((0..200).map(|n| noise(batch * 200 + n)));
        let mut never = |progress: index::Progress| -> storage::Task<'static, bool> {
            Box::pin(std::future::ready(progress.done < progress.total))
        };
        let update = library.update(common::id(), &world.state, 1, &mut never);
        storage::conformance::block_on(update).unwrap();
    }
    assert_eq!(world.files().len(), 4, "told to end before it merges");
    let mut steps = 0;
    let mut once = |_| -> storage::Task<'static, bool> {
        steps += 1;
        Box::pin(std::future::ready(steps < 2))
    };
    let update = library.update(common::id(), &world.state, 1, &mut once);
    storage::conformance::block_on(update).unwrap();
    assert_eq!((steps, world.files().len()), (2, 4));
    world.update(&library);
    assert_eq!(world.files().len(), 1);
}
