//! Values as shops write them.

use serde_json::{Value, json};
use vitrine_schemas::{AttributeType, Availability};

use super::{DecimalMark, availability, currency, flag, list, price, rfc3339, time};

fn amount(text: &str, mark: Option<char>) -> Option<(f64, Option<String>)> {
    let read = price(&text.into(), mark).ok().flatten();
    read.map(|price| (price.amount, price.currency))
}

#[test]
fn prices_come_in_many_forms() {
    for (text, wanted, code) in [
        ("15", 15.0, ""),
        ("15.00 USD", 15.0, "USD"),
        ("15USD", 15.0, "USD"),
        ("usd 15.5", 15.5, "USD"),
        ("0.99", 0.99, ""),
        (".5", 0.5, ""),
        (",50 €", 0.5, "EUR"),
        ("CHF 1'299.00", 1299.0, "CHF"),
        ("CHF 1\u{2019}299.\u{2013}", 1299.0, "CHF"),
        ("Fr. 12.50", 12.5, "CHF"),
        ("12,99 EUR", 12.99, "EUR"),
        ("1.299,00 €", 1299.0, "EUR"),
        ("€1.299,00", 1299.0, "EUR"),
        ("€ 12", 12.0, "EUR"),
        ("12,- €", 12.0, "EUR"),
        ("1.299,- €", 1299.0, "EUR"),
        ("US$ 12", 12.0, "USD"),
        ("$1,299.00", 1299.0, "USD"),
        ("$12.99 USD", 12.99, "USD"),
        ("CAD $12.99", 12.99, "CAD"),
        ("US $12.99", 12.99, "USD"),
        ("12.99 kr SEK", 12.99, "SEK"),
        ("€ 12.99 EUR", 12.99, "EUR"),
        ("1 299,00 zł", 1299.0, "PLN"),
        ("1\u{a0}299,00\u{a0}zł", 1299.0, "PLN"),
        ("1\u{202f}299,50 €", 1299.5, "EUR"),
        ("¥1,200", 1200.0, "JPY"),
        ("1,200円", 1200.0, "JPY"),
        ("￥１２００", 1200.0, "JPY"),
        ("Rs. 499/-", 499.0, "INR"),
        ("Rs.1,00,000", 100_000.0, "INR"),
        ("₹1,00,000.50", 100_000.5, "INR"),
        ("12.99USD", 12.99, "USD"),
        ("EUR12", 12.0, "EUR"),
        ("£9.99", 9.99, "GBP"),
        ("R$ 1.299,90", 1299.9, "BRL"),
        ("A$20", 20.0, "AUD"),
        ("199 kr", 199.0, ""),
        ("199,50 kr.", 199.5, ""),
        ("SEK 1 299", 1299.0, "SEK"),
        ("1.299.000 ₫", 1_299_000.0, "VND"),
        ("150.000₫", 150_000.0, "VND"),
        ("Rp 150.000", 150_000.0, "IDR"),
        ("JPY 1,200", 1200.0, "JPY"),
        ("2 500 Ft", 2500.0, "HUF"),
        ("1 234,56 Kč", 1234.56, "CZK"),
        ("1234,5", 1234.5, ""),
        ("1234.567", 1234.567, ""),
        ("0,999", 0.999, ""),
        ("KWD 1.250", 1.25, "KWD"),
        ("+5", 5.0, ""),
        ("0", 0.0, ""),
    ] {
        let code = Some(code.to_owned()).filter(|code| !code.is_empty());
        assert_eq!(amount(text, None), Some((wanted, code)), "{text}");
    }
}

#[test]
fn what_is_no_price_is_refused() {
    for text in [
        "free",
        "-5",
        "$-5",
        "-12,99 €",
        "(12.00)",
        "USD 1 EUR",
        "€ 1 USD",
        "1.2.3",
        ".",
        "inf",
        "NaN",
        "1e5",
        "12 bucks",
        "12-15",
        "from 12",
        "1,29,9",
        "12:30",
        "1 2 3",
        "99999999999999",
    ] {
        assert!(price(&text.into(), None).is_err(), "{text}");
    }
    for value in [json!(true), json!([1, 2]), json!({"sum": 1}), json!(-0.5)] {
        assert!(price(&value, None).is_err(), "{value}");
    }
    for value in [json!(null), json!(""), json!("  "), json!([])] {
        assert_eq!(price(&value, None), Ok(None), "{value}");
    }
    let object = price(&json!({"value": "1.299,00", "currency": "€"}), None).unwrap();
    assert_eq!(
        object.map(|p| (p.amount, p.currency)),
        Some((1299.0, Some("EUR".into())))
    );
}

#[test]
fn a_number_with_two_readings_goes_by_its_column() {
    let mark = |column: &[&str]| {
        let mut mark = DecimalMark::default();
        column.iter().for_each(|text| mark.count(text));
        mark.mark()
    };
    for (column, text, wanted) in [
        (&["12,99", "1.299,00"][..], "1.299", 1299.0),
        (&["12,99"], "1,299", 1.299),
        (&["12.99"], "1.299", 1.299),
        (&["12.99", "1,299.00"], "1,299", 1299.0),
        (&[], "1.299", 1.299),
        (&[], "1,299", 1299.0),
        (&["5", "1299"], "1,299", 1299.0),
        (&["12,99", "3,49", "12.99"], "1.299", 1299.0),
        (&["free", "12,5 €"], "2.500 €", 2500.0),
        (&["12,99"], "0.299", 0.299),
    ] {
        let read = amount(text, mark(column)).map(|(amount, _)| amount);
        assert_eq!(read, Some(wanted), "{text} among {column:?}");
    }
}

#[test]
fn currencies_are_codes() {
    assert_eq!(currency("eur"), Ok(Some("EUR".into())));
    assert_eq!(currency(" € "), Ok(Some("EUR".into())));
    assert_eq!(currency("kr"), Ok(None));
    for text in ["bucks", "pcs", "abc", "xl"] {
        assert!(currency(text).is_err(), "{text}");
    }
}

#[test]
fn availability_has_many_words() {
    use Availability::{Backorder, InStock, OutOfStock, Preorder};
    for (text, wanted) in [
        ("in stock", InStock),
        ("in_stock", InStock),
        ("In-Stock", InStock),
        ("InStock", InStock),
        ("https://schema.org/InStock", InStock),
        ("http://schema.org/LimitedAvailability", InStock),
        ("schema:InStock", InStock),
        ("available", InStock),
        ("Yes", InStock),
        ("true", InStock),
        ("auf Lager", InStock),
        ("en stock", InStock),
        ("12", InStock),
        ("10+", InStock),
        ("3 in stock", InStock),
        ("out of stock", OutOfStock),
        ("https://schema.org/OutOfStock", OutOfStock),
        ("https://schema.org/SoldOut", OutOfStock),
        ("https://schema.org/Discontinued", OutOfStock),
        ("Sold out", OutOfStock),
        ("no", OutOfStock),
        ("ausverkauft", OutOfStock),
        ("Épuisé", OutOfStock),
        ("0", OutOfStock),
        ("-1", OutOfStock),
        ("0 in stock", OutOfStock),
        ("In stock (3 left)", InStock),
        ("In stock - ships today", InStock),
        ("Currently unavailable", OutOfStock),
        ("temporarily out of stock", OutOfStock),
        ("derzeit nicht verfügbar", OutOfStock),
        ("non disponible", OutOfStock),
        ("en existencia", InStock),
        ("无货", OutOfStock),
        ("在庫切れ", OutOfStock),
        ("품절", OutOfStock),
        ("preorder", Preorder),
        ("pre-order", Preorder),
        ("https://schema.org/PreOrder", Preorder),
        ("backorder", Backorder),
        ("https://schema.org/BackOrder", Backorder),
    ] {
        assert_eq!(availability(&text.into()), Ok(Some(wanted)), "{text}");
    }
    assert_eq!(availability(&json!(false)), Ok(Some(OutOfStock)));
    assert_eq!(availability(&json!(3)), Ok(Some(InStock)));
    assert_eq!(availability(&Value::Null), Ok(None));
    for text in ["sold", "maybe", "ask", "ships in 3 weeks"] {
        assert!(availability(&text.into()).is_err(), "{text}");
    }
    assert_eq!(flag(&json!("Ja")), Ok(Some(true)));
    assert!(flag(&json!("maybe")).is_err());
}

#[test]
fn times_come_in_the_usual_forms() {
    let noon = "2024-06-15T12:30:00Z";
    let day = "2024-06-15T00:00:00Z";
    for (text, wanted) in [
        ("2024-06-15T12:30:00Z", noon),
        ("2024-06-15T12:30Z", noon),
        ("2024-06-15T14:30+0200", noon),
        ("2024-06-15T14:30:00+02", noon),
        ("2024-06-15 12:30:00", noon),
        ("2024-06-15 12:30", noon),
        ("2024-06-15 12:30:00 UTC", noon),
        ("2024-06-15 14:30:00 +0200", noon),
        ("2024/06/15 12:30", noon),
        ("15.06.2024 12:30", noon),
        ("06/15/2024 12:30 PM", noon),
        ("20240615T123000Z", noon),
        ("20240615123000", noon),
        ("202406151230", noon),
        ("Sat, 15 Jun 2024 12:30:00 +0000", noon),
        ("1718454600", noon),
        ("1718454600000", noon),
        ("1718454600000000", noon),
        ("2024-06-15", day),
        ("2024/06/15", day),
        ("2024.06.15", day),
        ("20240615", day),
        ("15.06.2024", day),
        ("15/06/2024", day),
        ("06/15/2024", day),
        ("15 Jun 2024", day),
        ("June 15, 2024", day),
    ] {
        assert_eq!(rfc3339(&text.into()), Ok(Some(wanted.to_owned())), "{text}");
    }
    let kept = "2024-06-15T12:30:00.5+02:00";
    assert_eq!(rfc3339(&kept.into()), Ok(Some(kept.to_owned())));
    for text in [
        "yesterday",
        "0",
        "-5",
        "2024",
        "12",
        "03/04/2024",
        "2024-13-01",
        "31.02.2024",
    ] {
        assert!(rfc3339(&text.into()).is_err(), "{text}");
    }
    assert!(
        rfc3339(&"03/04/2024".into())
            .unwrap_err()
            .contains("two readings")
    );
}

#[test]
fn sales_have_a_start_and_an_end() {
    let (from, to) = ("2020-01-01T08:00:00Z", "2099-01-01T08:00:00Z");
    let some = |text: &str| Some(text.to_owned());
    for text in [
        "2020-01-01T00:00-0800/2099-01-01T00:00-0800",
        "2020-01-01T00:00-08:00 / 2099-01-01T00:00-08:00",
        "2020-01-01T08:00Z/2099-01-01T08:00Z",
    ] {
        let found = time::interval(text).unwrap().map(|time| {
            let time = chrono::DateTime::parse_from_rfc3339(&time.unwrap()).unwrap();
            time.to_utc()
                .to_rfc3339_opts(chrono::SecondsFormat::Secs, true)
        });
        assert_eq!(found.map(Some), [some(from), some(to)], "{text}");
    }
    assert_eq!(
        time::interval("2020-01-01/"),
        Ok([some("2020-01-01T00:00:00Z"), None])
    );
    assert_eq!(
        time::interval("/2020-01-01"),
        Ok([None, some("2020-01-01T00:00:00Z")])
    );
    for text in ["soon", "2020-01-01", "2021-01-01/2020-01-01", "a/b"] {
        assert!(time::interval(text).is_err(), "{text}");
    }
}

#[test]
fn lists_are_split_where_they_are_lists() {
    assert_eq!(list::split("red|blue", false), ["red", "blue"]);
    assert_eq!(
        list::split("warm, dry", list::is_list("Tags")),
        ["warm", "dry"]
    );
    assert_eq!(
        list::split("warm, dry", list::is_list("note")),
        ["warm, dry"]
    );
    assert_eq!(
        list::split("https://x.org/a|b", true),
        ["https://x.org/a|b"]
    );
    for (cell, count) in [
        ("a.jpg|b.jpg", 2),
        ("a.jpg, b.png", 2),
        ("a.jpg;b.jpg", 2),
        ("https://x.org/1.jpg,https://x.org/2.jpg", 2),
        ("https://x.org/1.jpg https://x.org/2", 2),
        ("https://x.org/a,b.jpg", 1),
        ("my image, large.jpg", 1),
        ("https://x.org/a.jpg,", 1),
        ("a.jpg; b.jpg;", 2),
        ("", 0),
    ] {
        assert_eq!(list::split_images(cell).len(), count, "{cell}");
    }
    assert_eq!(
        list::json_array("[\"a\", 1]"),
        Some(vec![json!("a"), json!(1)])
    );
    assert_eq!(list::json_array("[not json"), None);
}

#[test]
fn values_are_coerced_to_types() {
    use crate::source::cells::coerce;
    use AttributeType::{Bool, Datetime, Float, Integer, Keyword};
    for (value, kind, wanted) in [
        (json!("2011.0"), Integer, json!(2011)),
        (json!(5.0), Integer, json!(5)),
        (json!("1,000"), Integer, json!(1000)),
        (json!("-12,345,678"), Integer, json!(-12_345_678)),
        (json!("2,5"), Float, json!(2.5)),
        (json!(7), Keyword, json!("7")),
        (json!(true), Keyword, json!("true")),
        (json!("yes"), Bool, json!(true)),
        (json!("2024-06-15"), Datetime, json!("2024-06-15T00:00:00Z")),
    ] {
        assert_eq!(coerce(&value, kind), Ok(wanted), "{value}");
    }
    for (value, kind) in [
        (json!(1.5), Integer),
        (json!("1,5"), Integer),
        (json!("1,0000"), Integer),
        (json!("red"), Float),
        (json!("red"), Bool),
    ] {
        assert!(coerce(&value, kind).is_err(), "{value}");
    }
}
