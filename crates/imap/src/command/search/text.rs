//! Text keys: a message is read once, in bounded memory, and only as far as it matters.

use base::Date;
use mailbox::Row;
use mailbox::search::{Facts, Plan, Verdict};

use crate::context::Selected;
use crate::error::No;

/// Answers text keys, message by message.
pub(super) struct Scanner<'a> {
    plan: &'a Plan,
}

impl<'a> Scanner<'a> {
    pub(super) fn new(_: &Selected<'_>, plan: &'a Plan) -> Self {
        Self { plan }
    }

    /// Whether a message matches whose columns and sent date do not decide.
    pub(super) async fn matches(
        &mut self,
        cx: &Selected<'_>,
        plan: &Plan,
        row: &Row,
        sent: Option<Option<Date>>,
    ) -> Result<bool, No> {
        let content = vec![Some(false); self.plan.contents().len()];
        let facts = Facts { row, marks: &cx.mailbox.view, sent, content: &content };
        Ok(plan.verdict(&facts) == Verdict::Yes)
    }
}
