//! A Maildir and what is below it.
//!
//! Subfolders are found in both layouts: Maildir++ (`.Lists.rust` beside `cur`) and plain
//! directories (`Lists/rust/cur`). UIDs come from `dovecot-uidlist` or `courierimapuiddb`.

use std::fs::{self, File};
use std::io::{ErrorKind, Read};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use base::DateTime;

use super::crlf::Crlf;
use super::maildir_names::{decode_level, decode_path, flags, subscriptions, virtual_size};
use super::uidlist::{UidList, base_name, keywords};
use super::{Event, Meta, Outlet, Stop, Target};

/// Directories below directories.
const DEPTH_MAX: usize = 32;
const PIECE_BYTES: usize = 64 * 1024;

/// A directory with `cur` or `new` in it.
struct Folder {
    directory: PathBuf,
    name: String,
}

/// One message's file.
struct Entry {
    path: PathBuf,
    /// Its name, whole.
    name: Vec<u8>,
    uid: Option<u32>,
}

/// Tells everything below `root`.
pub(super) fn tell(root: &Path, outlet: &Outlet) -> Result<(), Stop> {
    let mut folders = Vec::new();
    find(root, "", 0, &mut folders, outlet)?;
    if folders.is_empty() {
        let why = format!("{}: there is no Maildir here (no cur or new)", root.display());
        return Err(Stop::Failed(why));
    }
    folders.sort_by(|a, b| (a.name != "INBOX", &a.name).cmp(&(b.name != "INBOX", &b.name)));
    for folder in &folders {
        tell_folder(folder, outlet)?;
    }
    let known = |name: &String| folders.iter().any(|folder| folder.name == *name);
    for file in ["subscriptions", "courierimapsubscribed"] {
        let Ok(text) = fs::read_to_string(root.join(file)) else { continue };
        // Version 1 of Dovecot's list writes names with the layout's separator.
        let both = subscriptions(&text, b'.').into_iter().zip(subscriptions(&text, b'/'));
        for (dots, slashes) in both {
            let name = if !known(&dots) && known(&slashes) { slashes } else { dots };
            outlet.tell(Event::Subscribed(name))?;
        }
    }
    Ok(())
}

fn find(
    directory: &Path,
    name: &str,
    depth: usize,
    folders: &mut Vec<Folder>,
    outlet: &Outlet,
) -> Result<(), Stop> {
    let is_maildir = ["cur", "new"].iter().any(|part| directory.join(part).is_dir());
    if is_maildir {
        let name = if name.is_empty() { "INBOX".to_owned() } else { name.to_owned() };
        folders.push(Folder { directory: directory.to_owned(), name });
    }
    let entries = match fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) => return Ok(outlet.warn(format!("{}: {error}", directory.display()))?),
    };
    for entry in entries.flatten() {
        let (file, path) = (entry.file_name(), entry.path());
        let raw = file.as_bytes();
        if !path.is_dir() || [&b"cur"[..], b"new", b"tmp"].contains(&raw) {
            continue;
        }
        let below = match raw.split_first() {
            // Maildir++ has all its subfolders in one directory.
            Some((b'.', rest)) if depth == 0 && !rest.is_empty() => decode_path(rest, b'.'),
            Some((b'.', _)) => continue,
            _ if name.is_empty() => decode_level(raw),
            _ => format!("{name}/{}", decode_level(raw)),
        };
        if depth < DEPTH_MAX {
            find(&path, &below, depth + 1, folders, outlet)?;
        }
    }
    Ok(())
}

fn tell_folder(folder: &Folder, outlet: &Outlet) -> Result<(), Stop> {
    let directory = &folder.directory;
    let list = uid_list(directory, outlet)?;
    let entries = entries(directory, list.as_ref(), outlet)?;
    let keywords = match fs::read(directory.join("dovecot-keywords")) {
        Ok(text) => keywords(&String::from_utf8_lossy(&text)),
        Err(_) => Default::default(),
    };
    outlet.tell(Event::Mailbox(Target {
        name: folder.name.clone(),
        uid_validity: list.as_ref().map(|list| list.uid_validity),
        uid_next: list.as_ref().map(|list| list.uid_next),
        total: entries.len() as u64,
    }))?;
    for entry in &entries {
        let flags = flags(&entry.name, &keywords);
        match open(directory, entry) {
            Ok((file, date)) => {
                let label = entry.path.display().to_string();
                let size_hint = virtual_size(&entry.name);
                let date = DateTime::new(date, 0);
                let meta = Meta { label, uid: entry.uid, flags, date, size_hint };
                outlet.tell(Event::Message(meta))?;
                tell_bytes(file, &entry.path, outlet)?;
            }
            Err(error) => {
                let (label, date) = (entry.path.display().to_string(), DateTime::new(0, 0));
                let why = match error.kind() {
                    ErrorKind::NotFound => format!("{label}: vanished while it was read"),
                    _ => format!("{label}: {error}"),
                };
                let meta = Meta { label, uid: entry.uid, flags, date, size_hint: None };
                outlet.tell(Event::Message(meta))?;
                outlet.tell(Event::Abandon(why))?;
            }
        }
    }
    Ok(())
}

fn uid_list(directory: &Path, outlet: &Outlet) -> Result<Option<UidList>, Stop> {
    for name in ["dovecot-uidlist", "courierimapuiddb"] {
        let path = directory.join(name);
        let text = match fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => continue,
            Err(error) => {
                outlet.warn(format!("{}: {error}; UIDs are new", path.display()))?;
                continue;
            }
        };
        match UidList::parse(&text) {
            Some(list) => return Ok(Some(list)),
            None => outlet.warn(format!("{}: not understood; UIDs are new", path.display()))?,
        }
    }
    Ok(None)
}

/// All messages: those with a UID by UID, then the others in the order they came.
fn entries(directory: &Path, list: Option<&UidList>, outlet: &Outlet) -> Result<Vec<Entry>, Stop> {
    let mut found = Vec::new();
    for part in ["cur", "new"] {
        let path = directory.join(part);
        let entries = match fs::read_dir(&path) {
            Ok(entries) => entries,
            Err(error) if error.kind() == ErrorKind::NotFound => continue,
            Err(error) => {
                outlet.warn(format!("{}: {error}", path.display()))?;
                continue;
            }
        };
        for entry in entries.flatten() {
            let name = entry.file_name().into_vec();
            if name.starts_with(b".") || entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                continue;
            }
            let uid = list.and_then(|list| list.uids.get(base_name(&name)).copied());
            found.push(Entry { path: entry.path(), name, uid });
        }
    }
    found.sort_by_cached_key(|entry| {
        (entry.uid.unwrap_or(u32::MAX), delivered(&entry.name), entry.name.clone())
    });
    // A file that is in both directories for a moment has one UID.
    let mut last = None;
    for entry in &mut found {
        if entry.uid.is_some() && entry.uid == last {
            entry.uid = None;
        } else {
            last = entry.uid;
        }
    }
    found.sort_by_key(|entry| entry.uid.unwrap_or(u32::MAX));
    Ok(found)
}

/// File names begin with the time of delivery.
fn delivered(name: &[u8]) -> u64 {
    let digits = name.iter().take_while(|byte| byte.is_ascii_digit()).count();
    std::str::from_utf8(&name[..digits]).ok().and_then(|text| text.parse().ok()).unwrap_or(u64::MAX)
}

/// Opens a message. A server that changes flags at the same time renames it: then it is looked for
/// once more.
fn open(directory: &Path, entry: &Entry) -> std::io::Result<(File, i64)> {
    let file = match File::open(&entry.path) {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let renamed = renamed(directory, base_name(&entry.name)).ok_or(error)?;
            File::open(renamed)?
        }
        file => file?,
    };
    let date = file.metadata()?.mtime();
    Ok((file, date))
}

fn renamed(directory: &Path, base: &[u8]) -> Option<PathBuf> {
    let entries = fs::read_dir(directory.join("cur")).ok()?;
    let mut same = entries.flatten().filter(|e| base_name(e.file_name().as_bytes()) == base);
    same.next().map(|entry| entry.path())
}

fn tell_bytes(mut file: File, path: &Path, outlet: &Outlet) -> Result<(), Stop> {
    let mut crlf = Crlf::default();
    let mut piece = vec![0; PIECE_BYTES];
    let mut first = true;
    loop {
        match file.read(&mut piece) {
            Ok(0) => return Ok(outlet.tell(Event::End)?),
            Ok(count) if first && is_compressed(&piece[..count]) => {
                let why = "is compressed (mail_compress of Dovecot): uncompress the Maildir first";
                return Ok(outlet.tell(Event::Abandon(format!("{} {why}", path.display())))?);
            }
            Ok(count) => {
                first = false;
                let mut out = Vec::with_capacity(count + count / 16);
                crlf.convert(&piece[..count], &mut out);
                outlet.tell(Event::Bytes(out))?;
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => {
                let why = format!("{}: {error}", path.display());
                return Ok(outlet.tell(Event::Abandon(why))?);
            }
        }
    }
}

/// gzip, bzip2, xz, zstd and LZ4 of Dovecot: no message begins like these.
fn is_compressed(start: &[u8]) -> bool {
    let magics: [&[u8]; 5] =
        [b"\x1f\x8b", b"BZh", b"\xfd7zXZ\0", b"\x28\xb5\x2f\xfd", b"Dovecot-LZ4\r\x2a\x9b\xc5"];
    // `BZh` could be the beginning of a field's name; the block's magic could not.
    magics.iter().any(|magic| start.starts_with(magic))
        && (!start.starts_with(b"BZh") || start.get(4..7) == Some(b"1AY"))
}
