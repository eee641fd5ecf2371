//! The fake provider: keeps the books that nobody argues with, and breaks in every way HTTP can.
//!
//! It speaks HTTP by hand, because it has to break it: resets, halves of answers, silence.

pub(crate) use super::class::Class;
use super::{
    fault::{Fault, Look},
    wire::{Request, answer, read_request, reset},
};
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, HashMap},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::net::{TcpListener, TcpStream};

/// Money that left.
#[derive(Clone, Debug)]
pub(crate) struct Charge {
    pub(crate) reference: String,
    pub(crate) msisdn: String,
    pub(crate) cents: i64,
    pub(crate) id: String,
}

/// One order as it stands in the books.
#[derive(Clone, Debug)]
pub(super) struct Order {
    pub(super) id: String,
    pub(super) reference: String,
    pub(super) msisdn: String,
    pub(super) cents: i64,
    pub(super) status: &'static str,
    pub(super) looks: u32,
    pub(super) fault: Fault,
}

/// What a line is and what happens to it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Line {
    pub(crate) cents: i64,
    /// What happens to its orders, one after the other; the last goes on for ever.
    pub(crate) sends: Vec<Fault>,
    /// What happens to look-ups.
    pub(crate) look: Look,
    /// Cents that are used up with every read.
    pub(crate) burn: i64,
    pub(crate) arrived: usize,
}

#[derive(Debug, Default)]
struct Books {
    lines: HashMap<String, Line>,
    orders: Vec<Order>,
    charges: Vec<Charge>,
    requests: BTreeMap<String, usize>,
}

/// A running oracle. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Oracle {
    books: Arc<Mutex<Books>>,
    ids: Arc<AtomicU64>,
    pub(crate) address: String,
    /// Money answers come this much later.
    delay: Duration,
}

impl Oracle {
    pub(crate) async fn start(delay: Duration) -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let oracle = Self {
            books: Arc::default(),
            ids: Arc::default(),
            address: listener.local_addr()?.to_string(),
            delay,
        };
        let serving = oracle.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let oracle = serving.clone();
                tokio::spawn(async move {
                    oracle.converse(stream).await.ok();
                });
            }
        });
        Ok(oracle)
    }

    fn books(&self) -> MutexGuard<'_, Books> {
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn set_line(&self, msisdn: &str, line: Line) {
        self.books().lines.insert(msisdn.to_owned(), line);
    }

    pub(crate) fn line(&self, msisdn: &str, change: impl FnOnce(&mut Line)) {
        if let Some(line) = self.books().lines.get_mut(msisdn) {
            change(line);
        }
    }

    pub(crate) fn charges(&self) -> Vec<Charge> {
        self.books().charges.clone()
    }

    /// How many orders arrived with this reference.
    pub(crate) fn arrived(&self, reference: &str) -> usize {
        self.books().requests.get(reference).copied().unwrap_or(0)
    }

    async fn converse(&self, mut stream: TcpStream) -> std::io::Result<()> {
        let mut buffer = Vec::new();
        loop {
            let Some(request) = read_request(&mut stream, &mut buffer).await? else {
                return Ok(());
            };
            let class = request.path.split('/').nth(1).unwrap_or_default().to_owned();
            let rest = request.path.splitn(3, '/').nth(2).unwrap_or_default().to_owned();
            match (request.method.as_str(), rest.as_str()) {
                ("POST", "topups") => return self.order(&mut stream, &class, &request).await,
                ("GET", "topups") => {
                    if !self.find(&mut stream, &class, &request.query).await? {
                        return Ok(());
                    }
                }
                ("GET", "list") => {
                    let items: Vec<Value> = {
                        let books = self.books();
                        books
                            .orders
                            .iter()
                            .filter(|o| class_of(&o.id) == class && o.fault != Fault::Late)
                            .map(listed)
                            .collect()
                    };
                    answer(&mut stream, 200, &json!({ "items": items }).to_string()).await?;
                }
                ("GET", line) => {
                    let msisdn = line.trim_start_matches("lines/").replace("%2B", "+");
                    let cents = {
                        let mut books = self.books();
                        books.lines.get_mut(&msisdn).map(|line| {
                            line.cents -= line.burn.min(line.cents.max(0));
                            line.cents
                        })
                    };
                    let text = match cents {
                        Some(cents) => json!({
                            "msisdn": msisdn,
                            "balance": { "amount": format!("{}.{:02}", cents / 100, cents % 100), "currency": "USD" },
                            "expires_at": "2031-01-01T00:00:00Z",
                        })
                        .to_string(),
                        None => return answer(&mut stream, 404, "{}").await,
                    };
                    answer(&mut stream, 200, &text).await?;
                }
                _ => return answer(&mut stream, 405, "{}").await,
            }
        }
    }

    /// A money request: first the books, then the answer, each as the line's fault says.
    async fn order(
        &self,
        stream: &mut TcpStream,
        class: &str,
        request: &Request,
    ) -> std::io::Result<()> {
        let body: Value = serde_json::from_str(&request.body).unwrap_or_default();
        let text = |key: &str| body[key].as_str().unwrap_or_default().to_owned();
        let (reference, msisdn) = (text("ref"), text("msisdn"));
        let cents: i64 = text("amount").replace('.', "").parse().unwrap_or(0);
        let fault = {
            let mut books = self.books();
            *books.requests.entry(reference.clone()).or_default() += 1;
            let line = books.lines.entry(msisdn.clone()).or_default();
            let fault =
                line.sends.get(line.arrived).or(line.sends.last()).copied().unwrap_or(Fault::Done);
            line.arrived += 1;
            fault
        };
        if fault == Fault::ResetBefore {
            return reset(stream);
        }
        if self.is_duplicate(class, &reference) {
            return answer(stream, 409, r#"{"error":"duplicate reference"}"#).await;
        }
        if class == Class::Sequential.word() {
            // The gap through which copies in parallel pass.
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let mut order = Order {
            id: format!("{class}-{}", self.ids.fetch_add(1, Ordering::SeqCst)),
            reference,
            msisdn,
            cents,
            status: fault.status(),
            looks: 0,
            fault,
        };
        if fault.is_booked() && !self.book(class, &order) {
            return answer(stream, 409, r#"{"error":"duplicate reference"}"#).await;
        }
        tokio::time::sleep(self.delay).await;
        if fault == Fault::WrongReference {
            order.reference = "zzzzzzzzzzzzzzzzzzzzzzzz".into();
        }
        self.reply(stream, &order, fault).await
    }

    /// Writes an order down. False where a strict provider has it already: under one lock.
    fn book(&self, class: &str, order: &Order) -> bool {
        let mut books = self.books();
        if class == Class::A.word() && books.orders.iter().any(|o| o.reference == order.reference) {
            return false;
        }
        if order.fault.charges_at_once() {
            charge(&mut books, order);
        }
        books.orders.push(order.clone());
        true
    }

    fn is_duplicate(&self, class: &str, reference: &str) -> bool {
        let books = self.books();
        let mut known =
            books.orders.iter().filter(|o| o.reference == reference && class_of(&o.id) == class);
        match class {
            "a" | "s" => known.next().is_some(),
            "r" => known.any(|o| o.status != "refused"),
            _ => false,
        }
    }

    /// A look-up by reference. False where the conversation is over.
    async fn find(
        &self,
        stream: &mut TcpStream,
        class: &str,
        query: &HashMap<String, String>,
    ) -> std::io::Result<bool> {
        let reference = query.get("ref").cloned().unwrap_or_default();
        let (mut items, look) = self.look(class, &reference);
        match look {
            Look::Normal | Look::PendingForever => {}
            Look::Empty => items.clear(),
            Look::Two => items.extend(items.clone()),
            Look::Code(code) => return answer(stream, code, "{}").await.map(|()| false),
            Look::Html => {
                return answer(stream, 200, "<html>maintenance</html>").await.map(|()| false);
            }
            Look::Garbage => return answer(stream, 200, "[[[").await.map(|()| false),
            Look::NoList => return answer(stream, 200, r#"{"data":[]}"#).await.map(|()| false),
            Look::Reset => return reset(stream).map(|()| false),
            Look::Hang => {
                tokio::time::sleep(Duration::from_secs(30)).await;
                return Ok(false);
            }
            Look::Foreign => {
                for item in &mut items {
                    item["ref"] = json!("yyyyyyyyyyyyyyyyyyyyyyyy");
                }
            }
            Look::WrongAmount => items.iter_mut().for_each(|item| item["amount"] = json!("1.00")),
            Look::WrongNumber => {
                items.iter_mut().for_each(|item| item["msisdn"] = json!("+12025559999"))
            }
            Look::UnknownWord => {
                items.iter_mut().for_each(|item| item["status"] = json!("see agent"))
            }
        }
        answer(stream, 200, &json!({ "items": items }).to_string()).await?;
        Ok(true)
    }

    /// What is booked under a reference; time goes by with every look.
    fn look(&self, class: &str, reference: &str) -> (Vec<Value>, Look) {
        let mut books = self.books();
        let mut settled = Vec::new();
        let mut items = Vec::new();
        let mut look = Look::Normal;
        let Books { lines, orders, .. } = &mut *books;
        if let Some(order) = orders.iter().find(|o| o.reference == reference) {
            look = lines.get(&order.msisdn).map_or(Look::Normal, |line| line.look);
        }
        for order in
            orders.iter_mut().filter(|o| o.reference == reference && class_of(&o.id) == class)
        {
            order.looks += 1;
            match order.fault {
                Fault::Pending if order.looks == 2 => order.status = "done",
                Fault::PendingThenRefused if order.looks == 2 => order.status = "refused",
                Fault::Late if order.looks == 2 => {
                    order.status = "done";
                    settled.push(order.clone());
                }
                Fault::RefusedThenCharged => {
                    order.status = "done";
                    if order.looks == 1 {
                        settled.push(order.clone());
                    }
                }
                Fault::Reversed => order.status = "reversed",
                _ => {}
            }
            let hidden = order.fault == Fault::Late && order.looks < 2;
            if !hidden {
                let status = if look == Look::PendingForever { "pending" } else { order.status };
                items.push(record(order, status));
            }
        }
        for order in settled {
            charge(&mut books, &order);
        }
        if books
            .orders
            .iter()
            .any(|o| o.reference == reference && o.fault == Fault::Pending && o.looks == 2)
            && let Some(order) = books.orders.iter().find(|o| o.reference == reference).cloned()
        {
            credit(&mut books, &order);
        }
        (items, look)
    }
}

fn class_of(id: &str) -> &str {
    id.split('-').next().unwrap_or_default()
}

fn charge(books: &mut Books, order: &Order) {
    books.charges.push(Charge {
        reference: order.reference.clone(),
        msisdn: order.msisdn.clone(),
        cents: order.cents,
        id: order.id.clone(),
    });
    if order.fault.shows_at_once() {
        credit(books, order);
    }
}

fn credit(books: &mut Books, order: &Order) {
    if let Some(line) = books.lines.get_mut(&order.msisdn) {
        line.cents += order.cents;
    }
}

pub(super) fn record(order: &Order, status: &str) -> Value {
    json!({
        "id": order.id, "ref": order.reference, "status": status, "msisdn": order.msisdn,
        "amount": format!("{}.{:02}", order.cents / 100, order.cents % 100), "currency": "USD",
    })
}

/// In lists of class C nobody keeps references.
fn listed(order: &Order) -> Value {
    let mut record = record(order, order.status);
    if class_of(&order.id) == Class::C.word()
        && let Some(fields) = record.as_object_mut()
    {
        fields.remove("ref");
    }
    record
}
