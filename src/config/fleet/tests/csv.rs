//! Subscriptions as spreadsheets export them.

use super::*;

const HEADER: &str = "id,subscriber,label,msisdn,iccid,operator,time_zone,reader,payers,tags,plan_price,plan_cycle_days,plan_renewal,plan_number_loss_days,products";
const PEOPLE: (&str, &str) = ("people.toml", "[[subscribers]]\nid = \"li\"\n");

fn read_csv(text: &str) -> Result<Fleet, Vec<String>> {
    read_in(&[PEOPLE, ("lines.CSV", text)], &context())
}

#[test]
fn a_row_is_the_same_as_a_table() {
    let row = "li-tmobile,li,Bank number,+12025550123,,T-Mobile US,America/New_York,carrier,carrier,us,15.00 USD,30,fund_balance,60,carrier=TOPUP";
    let fleet = read_csv(&format!("{HEADER}\n{row}\n")).unwrap();
    assert_eq!(fleet.subscriptions, read(SAMPLE).unwrap().subscriptions);
}

#[test]
fn marks_line_ends_blanks_and_lists_are_accepted() {
    let text = "\u{feff}reader , id,subscriber,label,payers,tags,msisdn,products\r\n\
                meter,a,li,\"Li's, first\",,us;  travel x,,\r\n\r\n\
                meter,b,li,,carrier;shop,,+12025550123,shop=US 10; carrier=T\r\n";
    let fleet = read_csv(text).unwrap();
    let [a, b] = fleet.subscriptions.as_slice() else { panic!("{fleet:?}") };
    assert_eq!((a.label.as_str(), a.tags.join("|")), ("Li's, first", "us|travel|x".to_owned()));
    assert_eq!((a.plan.as_ref(), a.payers.len()), (None, 0));
    assert_eq!((b.label.as_str(), b.payers.join("|")), ("b", "carrier|shop".to_owned()));
    assert_eq!(b.products["shop"], "US 10");
}

#[test]
fn faults_carry_the_line_of_the_row() {
    let text = "id,subscriber,reader,msisdn,plan_price,products,colour\n\
                a,li,meter,12025550123,,,\n\
                \n\
                a,li,meter,,free,,red\n\
                b,li,meter\n\
                c,mo,meter,,,what,\n";
    assert_eq!(
        read_csv(text).unwrap_err(),
        [
            "lines.CSV:1: header: found \"colour\"; unknown column; allowed: id, subscriber, label, msisdn, iccid, operator, time_zone, reader, payers, tags, plan_price, plan_cycle_days, plan_renewal, plan_number_loss_days, products",
            "lines.CSV:2: subscriptions[1] \"a\".msisdn: found \"12025550123\"; allowed is a phone number in E.164, such as \"+12025550123\"",
            "lines.CSV:4: subscriptions[2] \"a\".plan.price: found \"free\"; `free` is not an amount of money (write for example \"10.00 USD\")",
            "lines.CSV:4: subscriptions[2] \"a\".id: found \"a\"; allowed is each id once; it is in lines.CSV:2, too",
            "lines.CSV:5: row: found 3 fields; allowed are 7 fields, as in the header",
            "lines.CSV:6: products: found \"what\"; allowed is PAYER=PRODUCT, several with `;` between them",
            "lines.CSV:6: subscriptions[3] \"c\".subscriber: found \"mo\"; allowed is a subscriber of these files or one applied before",
        ]
    );
}

#[test]
fn a_header_is_needed() {
    assert_eq!(
        read_csv("a,li,meter\n").unwrap_err()[3..],
        [
            "lines.CSV:1: header: missing; a column \"id\" is needed",
            "lines.CSV:1: header: missing; a column \"subscriber\" is needed",
            "lines.CSV:1: header: missing; a column \"reader\" is needed",
        ]
    );
    assert_eq!(read_csv("").unwrap_err().len(), 3);
    assert_eq!(
        read_csv("id,id,subscriber,reader\n").unwrap_err(),
        ["lines.CSV:1: header: found \"id\" twice; allowed is each column once"]
    );
}
