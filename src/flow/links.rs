//! The link in a notice: who holds it may answer that one notice, once. The link to a subscriber's
//! own page: who holds it sees what is theirs.
//!
//! Invariant: looking changes nothing, since scanners of mail open every link; only the form behind
//! it acts. A link is forged by nobody without the key and lapses; that of a notice works once.

use super::{Engine, EngineError, OrderError};
use crate::domain::{NoticeKind, Span, Subscriber, SubscriberId, Timestamp};
use crate::store::StoredNotice;
use subtle::ConstantTimeEq as _;

/// How long after its notice a link works.
const LIFETIME: Span = Span::days(14);
/// How long the link to a subscriber's own page works.
const PAGE_LIFETIME: Span = Span::days(30);
/// What is signed is for this and nothing else.
const PURPOSE: &str = "link of a notice";
const PAGE_PURPOSE: &str = "page of a subscriber";

/// What a reader can answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reply {
    /// Seen: no more reminders.
    Acknowledge,
    /// Not for two days.
    Snooze,
    /// Yes to exactly the order that the notice speaks of.
    Approve,
    /// No to it.
    Reject,
}

impl Reply {
    /// The words of the form.
    pub const WORDS: [(&'static str, Self); 4] = [
        ("acknowledge", Self::Acknowledge),
        ("snooze", Self::Snooze),
        ("approve", Self::Approve),
        ("reject", Self::Reject),
    ];

    /// Which of them a notice can be answered with.
    pub const fn to(kind: NoticeKind) -> &'static [Self] {
        if matches!(kind, NoticeKind::ApprovalWanted) {
            &[Self::Approve, Self::Reject, Self::Snooze]
        } else if kind.reminds() {
            &[Self::Acknowledge, Self::Snooze]
        } else {
            &[]
        }
    }
}

/// The link to a subscriber's own page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PageLink {
    /// Whose.
    pub subscriber: SubscriberId,
    /// Where it leads.
    pub link: String,
    /// When it opens nothing any more.
    pub lapses_at: Timestamp,
}

/// How long a snooze is.
const SNOOZE: Span = Span::days(2);

/// Why a link does nothing.
#[derive(Debug, thiserror::Error)]
pub enum LinkError {
    /// It was not made here, or was changed.
    #[error("this link is not valid")]
    Invalid,
    /// Its time is over.
    #[error("this link is too old")]
    Lapsed,
    /// It was used.
    #[error("this link was used already")]
    Used,
    /// The answer is not one that this notice can have.
    #[error("this notice cannot be answered with that")]
    NoSuchReply,
    /// The order cannot be approved or rejected any more.
    #[error(transparent)]
    Order(#[from] OrderError),
    /// The rows could not be read or written.
    #[error(transparent)]
    Engine(#[from] EngineError),
}

impl From<crate::store::StoreError> for LinkError {
    fn from(error: crate::store::StoreError) -> Self {
        Self::Engine(error.into())
    }
}

impl Engine {
    /// The address in a notice, the same on every try: where it is answered, or the reader's own
    /// page in a statement. `None` where there is nothing to answer, or no address of ours.
    pub fn link_of(&self, notice: &StoredNotice) -> Result<Option<String>, EngineError> {
        let Some(base) = &self.settings().admin.public_url else { return Ok(None) };
        if notice.kind == NoticeKind::Statement {
            let owner = SubscriberId::trusted(&notice.subscriber);
            let (path, _) = self.page_of(&owner, notice.created_at)?;
            return Ok(Some(format!("{base}{path}")));
        }
        if Reply::to(notice.kind).is_empty() {
            return Ok(None);
        }
        let ends = notice.created_at.plus(LIFETIME).ms().div_euclid(1000);
        let plain = format!("{}.{ends}", notice.id);
        let proof = self.0.parts.vault.sign(PURPOSE, &plain)?;
        Ok(Some(format!("{base}/n/{plain}.{proof}")))
    }

    /// The path of a subscriber's own page, and when it lapses. A link of an earlier `from` lapses
    /// earlier.
    pub fn page_of(
        &self,
        subscriber: &SubscriberId,
        from: Timestamp,
    ) -> Result<(String, Timestamp), EngineError> {
        let ends = from.plus(PAGE_LIFETIME).ms().div_euclid(1000);
        let plain = format!("{subscriber}.{ends}");
        let proof = self.0.parts.vault.sign(PAGE_PURPOSE, &plain)?;
        let ends = Timestamp::from_ms(ends.saturating_mul(1000));
        Ok((format!("/s/{plain}.{proof}"), ends))
    }

    /// The link to a subscriber's own page; `None` where there is no address to open it at.
    pub fn page_link(&self, subscriber: &SubscriberId) -> Result<Option<PageLink>, EngineError> {
        let admin = &self.settings().admin;
        let loopback = || admin.listen.map(|listen| format!("http://{listen}"));
        let Some(base) = admin.public_url.clone().or_else(loopback) else { return Ok(None) };
        let (path, lapses_at) = self.page_of(subscriber, self.now())?;
        Ok(Some(PageLink {
            subscriber: subscriber.clone(),
            link: format!("{base}{path}"),
            lapses_at,
        }))
    }

    /// Whose page a link opens. One who is gone has no page any more.
    pub async fn whose_page(&self, token: &str) -> Result<Subscriber, LinkError> {
        let (_, id) = self.proved(PAGE_PURPOSE, token)?;
        let id = SubscriberId::parse(id).map_err(|_| LinkError::Invalid)?;
        if !self.store().is_subscriber(&id).await? {
            return Err(LinkError::Invalid);
        }
        Ok(self.store().subscriber(&id).await?)
    }

    /// What was signed, and what it is about, where the proof is ours and its time is not over.
    fn proved<'t>(&self, purpose: &str, token: &'t str) -> Result<(&'t str, &'t str), LinkError> {
        let (plain, proof) = token.rsplit_once('.').ok_or(LinkError::Invalid)?;
        let ours = self.0.parts.vault.sign(purpose, plain).map_err(EngineError::from)?;
        if !bool::from(ours.as_bytes().ct_eq(proof.as_bytes())) {
            return Err(LinkError::Invalid);
        }
        let (id, ends) = plain.rsplit_once('.').ok_or(LinkError::Invalid)?;
        let ends: i64 = ends.parse().map_err(|_| LinkError::Invalid)?;
        if Timestamp::from_ms(ends.saturating_mul(1000)) <= self.now() {
            return Err(LinkError::Lapsed);
        }
        Ok((plain, id))
    }

    /// The notice that a link is about, where it still works.
    pub async fn linked(&self, token: &str) -> Result<StoredNotice, LinkError> {
        let (plain, id) = self.proved(PURPOSE, token)?;
        if self.store().is_link_used(plain).await? {
            return Err(LinkError::Used);
        }
        Ok(self.store().notice(id).await?)
    }

    /// Does what the reader answers.
    pub async fn answer_link(&self, token: &str, reply: Reply) -> Result<StoredNotice, LinkError> {
        let notice = self.linked(token).await?;
        if !Reply::to(notice.kind).contains(&reply) {
            return Err(LinkError::NoSuchReply);
        }
        let now = self.now();
        let (plain, _) = token.rsplit_once('.').ok_or(LinkError::Invalid)?;
        // Written down first: of two that come at once only one goes on.
        if !self.store().use_link(plain, now).await? {
            return Err(LinkError::Used);
        }
        let actor = format!("{} by link", notice.subscriber);
        let topup = notice.facts.topup.as_deref().unwrap_or_default();
        match reply {
            Reply::Acknowledge => {
                self.store().acknowledge(&notice.id, &actor, None, now).await?;
            }
            Reply::Snooze => {
                let until = Some(now.plus(SNOOZE));
                self.store().acknowledge(&notice.id, &actor, until, now).await?;
            }
            Reply::Approve => {
                self.approve(topup, notice.facts.order_hash.as_deref(), &actor).await?;
            }
            Reply::Reject => {
                self.reject(topup, &actor).await?;
            }
        }
        Ok(self.store().notice(&notice.id).await?)
    }
}
