//! SORT and UID SORT.
//!
//! RFC 5256 §3; RETURN: RFC 5267 §3; DISPLAYFROM, DISPLAYTO: RFC 5957.

use super::search;
use crate::cursor::{Cursor, Result};
use crate::emit::{self, Style};
use crate::grammar::name_of;
use crate::value::{Numbering, SearchKey, SearchReturn, SortCriterion, SortKey};

/// SORT (RFC 5256 §3, RFC 5267 §3 for RETURN).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Sort {
    /// Whether UIDs are returned.
    pub numbering: Numbering,
    /// `RETURN (...)`.
    pub returns: Option<SearchReturn>,
    /// Criteria, most important first; at least one.
    pub criteria: Vec<SortCriterion>,
    /// Which messages.
    pub key: SearchKey,
}

const KEYS: &[(&str, SortKey)] = &[
    ("ARRIVAL", SortKey::Arrival),
    ("CC", SortKey::Cc),
    ("DATE", SortKey::Date),
    ("FROM", SortKey::From),
    ("SIZE", SortKey::Size),
    ("SUBJECT", SortKey::Subject),
    ("TO", SortKey::To),
    ("DISPLAYFROM", SortKey::DisplayFrom),
    ("DISPLAYTO", SortKey::DisplayTo),
];

pub(super) fn parse(c: &mut Cursor<'_>, numbering: Numbering) -> Result<Sort> {
    c.sp()?;
    let returns = search::return_options(c)?;
    let criteria = c.list1("a sort key", |c| {
        let reverse = c.eat_word("REVERSE");
        if reverse {
            c.sp()?;
        }
        Ok(SortCriterion { key: c.choose(KEYS, "a sort key")?, reverse })
    })?;
    c.sp()?;
    Ok(Sort {
        numbering,
        returns,
        criteria,
        key: search::criteria(c, returns.is_some_and(|returns| returns.save))?,
    })
}

pub(super) fn print(sort: &Sort, out: &mut Vec<u8>, style: Style) {
    super::print_verb("SORT", sort.numbering, out);
    search::print_returns(sort.returns, out);
    emit::list(out, &sort.criteria, |out, criterion| {
        out.extend_from_slice(if criterion.reverse { b"REVERSE " } else { b"" });
        out.extend_from_slice(name_of(KEYS, &criterion.key).as_bytes());
    });
    out.extend_from_slice(b" UTF-8 ");
    search::print_program(&sort.key, out, style);
}

#[cfg(test)]
mod tests {
    use crate::command::testing::check;

    #[test]
    fn sort() {
        check(&[
            ("SORT (SUBJECT) UTF-8 ALL", Ok("SORT (SUBJECT) UTF-8 ALL")),
            (
                "uid sort (reverse date displayfrom REVERSE size) us-ascii deleted seen",
                Ok("UID SORT (REVERSE DATE DISPLAYFROM REVERSE SIZE) UTF-8 DELETED SEEN"),
            ),
            (
                "SORT RETURN (MIN COUNT) (ARRIVAL CC FROM TO DISPLAYTO) UTF-8 1:*",
                Ok("SORT RETURN (MIN COUNT) (ARRIVAL CC FROM TO DISPLAYTO) UTF-8 1:*"),
            ),
            ("SORT () UTF-8 ALL", Err("expected a sort key at byte 9")),
            ("SORT (FOO) UTF-8 ALL", Err("expected a sort key at byte 9")),
            ("SORT (REVERSE) UTF-8 ALL", Err("expected a space at byte 16")),
            ("SORT (DATE) ALL", Err("unknown charset at byte 15")),
            ("SORT (DATE) UTF-8", Err("expected a space at byte 20")),
        ]);
    }
}
