//! Google Merchant feeds.

use serde_json::json;
use vitrine_schemas::{Availability, ImageRef, Price, SalePrice};

use super::*;

const RSS: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<rss version="2.0" xmlns:g="http://base.google.com/ns/1.0" xmlns:m="http://search.yahoo.com/mrss/">
<channel>
<title>Shop</title><link>https://shop.example</link>
<item>
  <g:id>1</g:id>
  <title>Boot &amp; lace</title>
  <description><![CDATA[<p>Warm</p><p>& dry</p>]]></description>
  <g:google_product_category>187</g:google_product_category>
  <g:product_type>Shoes &gt; Boots</g:product_type>
  <g:brand>Acme</g:brand>
  <g:price>15.00 USD</g:price><g:sale_price>1.00 USD</g:sale_price>
  <g:image_link>https://shop.example/1.jpg?a=1&amp;b=2</g:image_link>
  <g:additional_image_link>https://shop.example/2.jpg</g:additional_image_link>
  <g:additional_image_link>https://shop.example/3.jpg</g:additional_image_link>
  <g:availability>in stock</g:availability>
  <g:color>red</g:color><g:gtin>0123</g:gtin>
  <g:shipping><g:country>US</g:country><g:price>4.95 USD</g:price><g:size>1</g:size></g:shipping>
  <m:title>other</m:title>
</item>
<item><g:id>2</g:id><title>Caf&#233; R&D &nbsp;</title><g:price>free</g:price></item>
<item/>
<item>
  <g:id>3</g:id><description/></item>
</channel>
</rss>
"#;

#[test]
fn rss_items_are_read() {
    let records = catalog("a.xml", RSS).read();
    assert_eq!(
        outcomes(&records),
        [
            (5, "1", ""),
            (21, "2", ""),
            (22, "?", "column `id`: is empty; every item needs an id"),
            (23, "3", ""),
        ]
    );
    let free =
        "column `price`: expected a price like `15.00`, `15.00 USD` or `€ 1.299,00`, got `free`";
    assert_eq!(notes(&records), [(21, free)]);
    let link = |n| ImageRef::Uri(format!("https://shop.example/{n}"));
    let expected = Item {
        id: "1".into(),
        title: Some("Boot & lace".into()),
        description: Some("Warm & dry".into()),
        category: Some("Shoes > Boots".into()),
        brand: Some("Acme".into()),
        price: Some(Price {
            amount: 15.0,
            currency: Some("USD".into()),
        }),
        sale_price: Some(SalePrice {
            amount: 1.0,
            currency: Some("USD".into()),
            starts_at: None,
            ends_at: None,
        }),
        images: vec![link("1.jpg?a=1&b=2"), link("2.jpg"), link("3.jpg")],
        availability: Some(Availability::InStock),
        attributes: json!({"color": "red", "gtin": "0123"})
            .as_object()
            .cloned()
            .unwrap(),
        ..Item::default()
    };
    assert_eq!(records[0].item.as_ref(), Ok(&expected));
}

#[test]
fn fields_of_a_feed_can_be_mapped() {
    let mapping = mapping(
        "id = 'id'\ntitle = 'title'\n[price]\namount = 'sale_price'\n[attributes]\ngtin = 'gtin'",
    );
    let records = catalog("a.xml", RSS).read_as(None, &mapping).unwrap();
    assert_eq!(
        records[0]
            .item
            .as_ref()
            .unwrap()
            .price
            .as_ref()
            .unwrap()
            .amount,
        1.0
    );
    assert_eq!(
        records[1].item.as_ref().unwrap().title.as_deref(),
        Some("Caf\u{e9} R&D")
    );
}

#[test]
fn atom_entries_are_read() {
    let feed = r#"<feed xmlns="http://www.w3.org/2005/Atom" xmlns:x="http://base.google.com/ns/1.0">
<title>Shop</title>
<entry><id>tag:shop,1</id><x:id>1</x:id><title>Boot</title><summary>Warm</summary><x:availability>out_of_stock</x:availability></entry>
</feed>"#;
    let item = items(catalog("a.xml", feed).read()).remove(0);
    assert_eq!(
        (
            item.id.as_str(),
            item.title.as_deref(),
            item.description.as_deref()
        ),
        ("1", Some("Boot"), Some("Warm"))
    );
    assert_eq!(item.availability, Some(Availability::OutOfStock));
}

#[test]
fn a_damaged_feed_ends_in_an_error_with_its_place() {
    let whole = RSS.as_bytes();
    let cut = &RSS[..RSS.find("<item/>").unwrap()];
    let crossed = RSS.replace("<description/></item>", "<b></item>");
    for (feed, sound, reason) in [
        (
            cut.as_bytes(),
            2,
            "unexpected end within an element (line 22, byte",
        ),
        (crossed.as_bytes(), 3, "(line 24, byte"),
        (&whole[..whole.len() - 10], 4, "(line 25, byte"),
    ] {
        let file = catalog("a.xml", feed);
        let records: Vec<_> = open(&file.path, None, &Mapping::default())
            .unwrap()
            .collect();
        assert_eq!(records.len(), sound + 1);
        let error = records[sound].as_ref().unwrap_err().to_string();
        assert!(
            error.contains("is not a well-formed XML feed") && error.contains(reason),
            "{error}"
        );
    }
    for (feed, reason) in [
        ("", "expected an `rss` or `feed` root element"),
        (
            "<html><body/></html>",
            "expected an `rss` or `feed` root element",
        ),
        ("{}", "expected an `rss` or `feed` root element"),
        (
            "<?xml version='1.0' encoding='ISO-8859-1'?><rss/>",
            "the encoding is iso-8859-1; save it as UTF-8",
        ),
    ] {
        let error = catalog("a.xml", feed).error(&Mapping::default());
        assert!(error.contains(reason), "{error}");
    }
    assert!(catalog("a.xml", "<rss/>").read().is_empty());
    let broken = [
        b"<rss><item><id>1</id><title>\xff</title></item>".as_slice(),
        b"<item><id>2</id></item></rss>",
    ]
    .concat();
    let records = catalog("a.xml", broken).read();
    let errors: Vec<_> = outcomes(&records)
        .into_iter()
        .map(|(_, id, error)| (id, error.is_empty()))
        .collect();
    assert_eq!(errors, [("1", false), ("2", true)]);
}

#[test]
fn an_endless_element_is_given_up() {
    let feed = format!(
        "<rss><item><id>1</id></item><item><title>{}",
        "x".repeat(40 << 20)
    );
    let file = catalog("a.xml", feed);
    let records: Vec<_> = open(&file.path, None, &Mapping::default())
        .unwrap()
        .collect();
    assert_eq!(records.len(), 2);
    assert!(
        records[1]
            .as_ref()
            .unwrap_err()
            .to_string()
            .contains("a record is larger than 16 MiB")
    );
}

#[test]
fn tab_separated_feeds_are_read() {
    let tsv = b"ID\tTitle\tImage Link\tadditional_image_link\tgoogle product category\tprice\tg:availability\n\
        1\t5\" nail, long\thttps://x.org/1.jpg\thttps://x.org/2.jpg,https://x.org/3.jpg\tHardware > Nails\tEUR 2\tpreorder\n\
        2\tbr\xffken\t\t\t\t\t\n3\tx\n4\ty\t\t\t\t\tsold\n";
    let records = catalog("a.tsv", tsv).read();
    let errors = outcomes(&records);
    assert_eq!(errors[1], (3, "2", "column `title`: not valid UTF-8"));
    assert!(
        errors[2]
            .2
            .starts_with("expected 7 fields as in the header, got 2")
    );
    assert_eq!(errors[3], (5, "4", ""));
    let reason = "column `availability`: expected in_stock, out_of_stock, preorder, backorder or a common \
                  word for these, got `sold`";
    assert_eq!(notes(&records), [(5, reason)]);
    let item = records[0].item.as_ref().unwrap();
    assert_eq!(item.title.as_deref(), Some("5\" nail, long"));
    assert_eq!(item.images.len(), 3);
    assert_eq!(item.category.as_deref(), Some("Hardware > Nails"));
    assert_eq!(
        item.price,
        Some(Price {
            amount: 2.0,
            currency: Some("EUR".into())
        })
    );
    assert_eq!(item.availability, Some(Availability::Preorder));

    let mapped = mapping("id = 'ID'\ntitle = 'Title'");
    let records = catalog("a.tsv", tsv).read_as(None, &mapped).unwrap();
    assert_eq!(
        records[3].item.as_ref().unwrap().title.as_deref(),
        Some("y")
    );
    let error = catalog("a.tsv", tsv).error(&mapping("id = 'sku'"));
    assert!(
        error.contains("has no column `sku`; its columns are: ID, Title"),
        "{error}"
    );
}
