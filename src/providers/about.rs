//! What is written of a kind of provider in `docs/providers.md`.

/// A kind of provider in words. What it can do and how far it is trusted stands in
/// [`super::Declares`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct About {
    /// What its makers call it.
    pub name: &'static str,
    /// What it reads.
    pub reads: &'static str,
    /// What it tops up.
    pub tops_up: &'static str,
    /// What happens after a timeout.
    pub after_silence: &'static str,
    /// The keys it needs, as an example that can be used once the secrets are filled in.
    pub setup: &'static str,
    /// What nobody has proved; the code takes the weaker assumption.
    pub unverified: &'static [&'static str],
}
