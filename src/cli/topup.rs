//! `topup`: an order by hand, on the same road as a rule's.

use super::args::TopupArgs;
use super::context::{CliError, Context, actor, subscription_id};
use super::out::Out;
use crate::domain::{Money, Span, State, Subscription, SubscriptionId, Topup};
use crate::flow::{Engine, Stage};
use crate::shapes;
use std::io::{BufRead, IsTerminal};

/// How long the command waits for the order to come through before it leaves it to the daemon.
const PATIENCE: Span = Span::seconds(90);

pub(super) async fn topup(context: &Context, args: &TopupArgs, out: &Out) -> Result<(), CliError> {
    let id = subscription_id(&args.id)?;
    let app = context.acting_app().await?;
    let engine = app.engine();
    let line = engine.store().subscription(&id).await?;
    let amount = amount(args, &line)?;
    let payer = line.payers.first().cloned().unwrap_or_default();
    let order = format!("{amount} on {} ({}) through {payer}", line.id, line.short_name());
    if args.dry_run {
        return dry_run(engine, &id, &order, out).await;
    }
    if !args.yes && !confirmed(&order, *out)? {
        return Err(CliError::Usage("not ordered".into()));
    }
    let ordered = engine.order_by_hand(&id, amount, args.product.as_deref(), &actor()).await?;
    out.note(&format!("ordered {order}: top-up {}", ordered.id));
    let topup = follow(engine, app.may_pay(), &ordered, *out).await?;
    out.result(&shapes::topup(&topup), || {
        let id = topup
            .transaction_id
            .as_ref()
            .map(|id| format!(", transaction {id}"))
            .unwrap_or_default();
        format!("top-up {} is {}{id}", topup.id, topup.state.as_str())
    });
    match topup.state {
        State::Failed | State::Cancelled | State::Held | State::Reversed => Err(CliError::Quiet),
        State::Proposed
        | State::AwaitingApproval
        | State::Reserved
        | State::Submitting
        | State::Pending
        | State::Unknown
        | State::Paid
        | State::Verified => Ok(()),
    }
}

/// The amount as typed, or the plan's price where only a product is named.
fn amount(args: &TopupArgs, line: &Subscription) -> Result<Money, CliError> {
    match (&args.amount, line.plan.as_ref().and_then(|plan| plan.price)) {
        (Some(text), _) => {
            let money = Money::parse(text)
                .map_err(|error| CliError::Usage(format!("--amount: {error}")))?;
            if money.is_positive() {
                Ok(money)
            } else {
                Err(CliError::Usage(format!(
                    "--amount: found {text:?}; allowed is an amount above zero"
                )))
            }
        }
        (None, Some(price)) => Ok(price),
        (None, None) => {
            Err(CliError::Usage("--amount: missing; the plan has no price to take instead".into()))
        }
    }
}

fn confirmed(order: &str, out: Out) -> Result<bool, CliError> {
    if !std::io::stdin().is_terminal() {
        return Err(CliError::Usage(
            "this orders for real: add --yes, or --dry-run to look first".into(),
        ));
    }
    out.note(&format!("Order {order}? Type yes:"));
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer).map_err(anyhow::Error::from)?;
    Ok(answer.trim() == "yes")
}

async fn dry_run(
    engine: &Engine,
    id: &SubscriptionId,
    order: &str,
    out: &Out,
) -> Result<(), CliError> {
    let (snapshot, decision) = engine.explain(id).await?;
    let mut document = serde_json::json!(shapes::explain(&snapshot, &decision, engine.now()));
    if let Some(fields) = document.as_object_mut() {
        fields.insert("dry_run".into(), serde_json::json!(order));
    }
    let open = snapshot
        .topup
        .as_ref()
        .map(|t| format!("top-up {} is {}: one at a time", t.id, t.state.as_str()));
    out.result(&document, || {
        let verdict = open.clone().unwrap_or_else(|| {
            "it would be proposed, read fresh, held against the caps, and sent once".into()
        });
        format!("would order {order}\n  {verdict}")
    });
    Ok(())
}

/// Runs or watches the stages until the order has an outcome.
async fn follow(
    engine: &Engine,
    may_pay: bool,
    ordered: &Topup,
    out: Out,
) -> Result<Topup, CliError> {
    let started = engine.now();
    let mut told = String::new();
    if !may_pay {
        out.note("another topupd is running; it takes the order from here");
    }
    loop {
        if may_pay {
            for stage in [
                Stage::Poll,
                Stage::Decide,
                Stage::Act,
                Stage::Reconcile,
                Stage::Verify,
                Stage::Notify,
            ] {
                engine.run_stage(stage).await?;
            }
        }
        let topup = engine.store().topup(ordered.id.as_str()).await?;
        let words = format!("{}: {}", topup.state.as_str(), topup.reason);
        if words != told {
            out.note(&format!("  {words}"));
            told = words;
        }
        let waits = matches!(topup.state, State::Proposed | State::Reserved | State::Submitting);
        if topup.state.is_final() || (!waits && topup.state != State::Unknown) {
            return Ok(topup);
        }
        if engine.now().since(started) > PATIENCE {
            out.note("it goes on in the daemon, or at the next `topupd tick`");
            return Ok(topup);
        }
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    }
}
