//! How far an account is indexed, told by a small file beside its segments: whoever looks after the
//! accounts need not load those that are complete.

use base::{AccountId, ModSeq};
use storage::{Error, Storage};

/// Its name, which no segment has.
pub(crate) const NAME: &str = "upto";
/// Keys for SORT and THREAD are kept beside the index and are none of it.
pub(crate) fn is_foreign(name: &str) -> bool {
    name.trim_end_matches(".new").ends_with(mailbox::keys::NAME_SUFFIX)
}

const MAGIC: [u8; 8] = *b"martupto";
const BYTES: usize = 28;

/// The account's log up to here has nothing that is not indexed, as long as the segments are those
/// of `names`.
pub(crate) fn encode(upto: ModSeq, fingerprint: u32, names: &[String]) -> Vec<u8> {
    let mut out = MAGIC.to_vec();
    out.extend_from_slice(&upto.get().to_le_bytes());
    out.extend_from_slice(&fingerprint.to_le_bytes());
    out.extend_from_slice(&digest(names).to_le_bytes());
    out.extend_from_slice(&crc32c::crc32c(&out).to_le_bytes());
    out
}

fn decode(bytes: &[u8], fingerprint: u32, names: &[String]) -> Option<ModSeq> {
    let bytes: &[u8; BYTES] = bytes.try_into().ok()?;
    let upto = ModSeq::new(u64::from_le_bytes(bytes[8..16].try_into().ok()?))?;
    (encode(upto, fingerprint, names) == bytes).then_some(upto)
}

fn digest(names: &[String]) -> u32 {
    let mut names: Vec<&str> = names.iter().map(String::as_str).collect();
    names.sort_unstable();
    crc32c::crc32c(names.join("/").as_bytes())
}

/// What the mark says, if it is one of these segments.
pub(crate) async fn read(
    storage: &dyn Storage,
    account: AccountId,
    fingerprint: u32,
) -> Result<Option<ModSeq>, Error> {
    let mut names = storage.cache_list(account).await?;
    names.retain(|name| name != NAME && !is_foreign(name));
    let range = 0..BYTES as u64;
    let parts = storage.cache_read(account, NAME, std::iter::once(range).collect()).await?;
    let bytes = parts.and_then(|mut parts| parts.pop());
    Ok(bytes.and_then(|bytes| decode(&bytes, fingerprint, &names)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_foreign() {
        let kind = mailbox::keys::Kind::Sent;
        let keys = mailbox::keys::name(base::MailboxId::new(ModSeq::ZERO.next()), kind);
        assert!(is_foreign(&keys) && is_foreign(&format!("{keys}.new")), "{keys}");
        assert!(!is_foreign("0000000000000001.seg") && !is_foreign("noise"));
    }

    #[test]
    fn only_of_these_segments() {
        let names = ["b.seg".to_owned(), "a.seg".to_owned()];
        let upto = ModSeq::new(77).unwrap_or(ModSeq::ZERO);
        let bytes = encode(upto, 5, &names);
        let [b, a] = names.clone();
        assert_eq!(decode(&bytes, 5, &[a, b]), Some(upto));
        assert_eq!(decode(&bytes, 6, &names), None);
        assert_eq!(decode(&bytes, 5, &names[..1]), None);
        for at in 0..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[at] ^= 1;
            assert_eq!(decode(&damaged, 5, &names), None, "{at}");
        }
    }
}
