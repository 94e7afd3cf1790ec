//! Caches, put back to what they were when the big mailbox was filled: what asks for the first time
//! finds what came with the mail and nothing that an earlier ask left. The server is stopped meanwhile.

use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt, chown};
use std::path::Path;

use crate::cost;
use crate::imap::Failure;

/// Below `cache/` of a martlet account: where the log ends, which is no answer to any client.
const STATE: &str = "state";
/// Below `cache/`: the text index.
const SEARCH: &str = "search";
/// Names of Dovecot's indexes of a mailbox, with its cache and log, begin so.
const DOVECOT_INDEX: &str = "dovecot.index";

/// Calls `visit` with each directory `cache` below `at`, and its path from there with dashes.
fn each_cache(
    at: &Path,
    name: &str,
    visit: &mut impl FnMut(&Path, &str) -> io::Result<()>,
) -> io::Result<()> {
    for entry in fs::read_dir(at)? {
        let entry = entry?;
        if !entry.file_type()?.is_dir() {
            continue;
        }
        let own = entry.file_name();
        match own.to_str() {
            Some("cache") => visit(&entry.path(), name)?,
            own => each_cache(&entry.path(), &format!("{name}-{}", own.unwrap_or("")), visit)?,
        }
    }
    Ok(())
}

fn copy(from: &Path, to: &Path) -> io::Result<()> {
    if !from.is_dir() {
        return fs::copy(from, to).map(drop);
    }
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        copy(&entry.path(), &to.join(entry.file_name()))?;
    }
    Ok(())
}

fn remove(at: &Path) -> io::Result<()> {
    match at.is_dir() {
        true => fs::remove_dir_all(at),
        false => fs::remove_file(at),
    }
}

/// What is below a directory `cache`, but for the state.
fn contents(cache: &Path) -> io::Result<Vec<fs::DirEntry>> {
    let all = fs::read_dir(cache)?.collect::<io::Result<Vec<_>>>()?;
    Ok(all.into_iter().filter(|entry| entry.file_name() != STATE).collect())
}

/// Copies martlet's caches, without the index, from `data` to `kept`.
pub(super) fn remember(data: &Path, kept: &Path) -> Result<(), Failure> {
    let copy_one = |cache: &Path, name: &str| {
        fs::create_dir_all(kept.join(name))?;
        let mut wanted = contents(cache)?.into_iter().filter(|entry| entry.file_name() != SEARCH);
        wanted.try_for_each(|entry| copy(&entry.path(), &kept.join(name).join(entry.file_name())))
    };
    each_cache(data, "", &mut { copy_one }).map_err(|error| format!("{}: {error}", data.display()))
}

/// Puts back what [`remember`] copied, and only that.
pub(super) fn put_back(data: &Path, kept: &Path) -> Result<(), Failure> {
    let put_one = |cache: &Path, name: &str| {
        contents(cache)?.iter().try_for_each(|entry| remove(&entry.path()))?;
        let kept = kept.join(name);
        if kept.is_dir() { copy(&kept, cache) } else { Ok(()) }
    };
    each_cache(data, "", &mut { put_one }).map_err(|error| format!("{}: {error}", data.display()))
}

/// Removes martlet's text index.
pub(super) fn forget_index(data: &Path) -> Result<(), Failure> {
    let forget = |cache: &Path, _: &str| {
        let index = cache.join(SEARCH);
        if index.is_dir() { remove(&index) } else { Ok(()) }
    };
    each_cache(data, "", &mut { forget }).map_err(|error| format!("{}: {error}", data.display()))
}

/// What martlet's text index takes on disk.
pub(super) fn index_bytes(data: &Path) -> Result<u64, Failure> {
    let mut bytes = 0;
    let add = |cache: &Path, _: &str| {
        bytes += cost::disk_bytes(&cache.join(SEARCH));
        Ok(())
    };
    each_cache(data, "", &mut { add }).map_err(|error| format!("{}: {error}", data.display()))?;
    Ok(bytes)
}

/// Calls `visit` with each directory that has indexes of Dovecot, and its path from `at` with dashes.
fn each_index(
    at: &Path,
    name: &str,
    visit: &mut impl FnMut(&Path, &str) -> io::Result<()>,
) -> io::Result<()> {
    let mut is_one = false;
    for entry in fs::read_dir(at)? {
        let (entry, own) = entry.map(|entry| (entry.path(), entry.file_name()))?;
        let own = own.to_string_lossy();
        is_one |= own.starts_with(DOVECOT_INDEX);
        // Maildir's directories of messages have none, and a hundred thousand names.
        if !["cur", "new", "tmp"].contains(&&*own) && !own.starts_with("m.") && entry.is_dir() {
            each_index(&entry, &format!("{name}-{own}"), visit)?;
        }
    }
    if is_one { visit(at, name) } else { Ok(()) }
}

fn indexes(at: &Path) -> io::Result<Vec<fs::DirEntry>> {
    let all = fs::read_dir(at)?.collect::<io::Result<Vec<_>>>()?;
    let is_index =
        |entry: &fs::DirEntry| entry.file_name().to_string_lossy().starts_with(DOVECOT_INDEX);
    Ok(all.into_iter().filter(is_index).collect())
}

/// Copies Dovecot's indexes and caches of mailboxes from `data` to `kept`.
pub(super) fn remember_dovecot(data: &Path, kept: &Path) -> Result<(), Failure> {
    let copy_one = |at: &Path, name: &str| {
        fs::create_dir_all(kept.join(name))?;
        let copy_file =
            |entry: &fs::DirEntry| copy(&entry.path(), &kept.join(name).join(entry.file_name()));
        indexes(at)?.iter().try_for_each(copy_file)
    };
    each_index(data, "", &mut { copy_one }).map_err(|error| format!("{}: {error}", data.display()))
}

/// Puts back what [`remember_dovecot`] copied, and only that. Orders that were asked for are in the
/// index itself, so that removing caches is not enough.
pub(super) fn put_back_dovecot(data: &Path, kept: &Path) -> Result<(), Failure> {
    let put_one = |at: &Path, name: &str| {
        indexes(at)?.iter().try_for_each(|entry| fs::remove_file(entry.path()))?;
        let owner = Some(fs::metadata(at)?.uid());
        for entry in fs::read_dir(kept.join(name))? {
            let entry = entry?;
            let to = at.join(entry.file_name());
            fs::copy(entry.path(), &to)?;
            chown(&to, owner, None)?;
        }
        Ok(())
    };
    each_index(data, "", &mut { put_one }).map_err(|error| format!("{}: {error}", data.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn caches_come_back_as_they_were() {
        let home = tempfile::tempdir().unwrap();
        let (data, kept) = (home.path().join("data"), home.path().join("kept"));
        let cache = data.join("accounts/3f/3f9a/cache");
        for directory in ["summaries", "search"] {
            fs::create_dir_all(cache.join(directory)).unwrap();
            fs::write(cache.join(directory).join("1"), "filled").unwrap();
        }
        fs::write(cache.join("state"), "1").unwrap();
        remember(&data, &kept).unwrap();
        fs::write(cache.join("summaries/1"), "listed").unwrap();
        fs::create_dir_all(cache.join("headers")).unwrap();
        fs::write(cache.join("state"), "2").unwrap();
        put_back(&data, &kept).unwrap();
        let read = |name: &str| fs::read_to_string(cache.join(name)).unwrap();
        assert_eq!((read("summaries/1"), read("state")), ("filled".to_owned(), "2".to_owned()));
        assert!(!cache.join("headers").exists() && !cache.join("search").exists());
    }

    #[test]
    fn indexes_of_dovecot_come_back_and_mail_stays() {
        let home = tempfile::tempdir().unwrap();
        let (data, kept) = (home.path().join("data"), home.path().join("kept"));
        let big = data.join("user0/.big");
        fs::create_dir_all(big.join("cur")).unwrap();
        for name in ["dovecot.index", "dovecot-uidlist", "cur/1"] {
            fs::write(big.join(name), "filled").unwrap();
        }
        remember_dovecot(&data, &kept).unwrap();
        for name in ["dovecot.index", "dovecot.index.cache", "dovecot-uidlist"] {
            fs::write(big.join(name), "listed").unwrap();
        }
        put_back_dovecot(&data, &kept).unwrap();
        let read = |name: &str| fs::read_to_string(big.join(name)).unwrap();
        assert_eq!((read("dovecot.index"), read("cur/1")), ("filled".into(), "filled".to_owned()));
        assert_eq!(read("dovecot-uidlist"), "listed");
        assert!(!big.join("dovecot.index.cache").exists());
    }
}
