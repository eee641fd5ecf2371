//! The local way: the letter on the standard input of a program such as `sendmail -t -i`, which
//! finds the recipient in its headers.
//!
//! Facts: `sysexits.h`; such programs take lines that end as on Unix.

use super::compose::Letter;
use crate::channels::{Outcome, exec};
use crate::domain::Span;
use crate::transport::program::Program;

/// The program, and how long it may take.
#[derive(Clone, Debug)]
pub(super) struct Sendmail {
    pub(super) program: Program,
    pub(super) timeout: Span,
}

impl Sendmail {
    /// Hands `letter` over, once.
    pub(super) async fn deliver(&self, letter: &Letter) -> Outcome {
        let Ok(text) = std::str::from_utf8(&letter.bytes) else {
            return Outcome::BadConfig { why: "the letter is not UTF-8".to_owned() };
        };
        let text = text.replace("\r\n", "\n");
        exec::follows(&self.program, self.program.run_to_end(&text, self.timeout).await)
    }

    /// Looks whether the program is there.
    pub(super) async fn test(&self) -> Result<String, String> {
        exec::is_program(&self.program.command).await
    }
}
