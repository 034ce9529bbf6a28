//! Cursors of pages, which clients send back and may change.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::json;
use vitrine::{
    LexicalQuery, Result, Search, Shopper, Target,
    schemas::{RecommendRequest, SortSpec},
};

use crate::shop::SHOP;

/// Fetches a page by a cursor, and the one after it. The first character selects the request, the
/// rest is the cursor: as it is after `=`, otherwise to be encoded in base64.
pub fn cursor(input: &[u8]) {
    let Some((choice, content)) = input.split_first() else {
        return page(b's', None).map(drop).unwrap_or_default();
    };
    let cursor = match content.strip_prefix(b"=") {
        Some(raw) => String::from_utf8_lossy(raw).into_owned(),
        None => URL_SAFE_NO_PAD.encode(content),
    };
    if let Ok(Some(next)) = page(*choice, Some(cursor)) {
        page(*choice, Some(next)).expect("a cursor of the server itself");
    }
}

/// Returns the cursor after a page.
pub fn page(choice: u8, cursor: Option<String>) -> Result<Option<String>> {
    let shop = &SHOP.collection;
    let sort = |text: &str| vec![SortSpec::Text(text.to_owned())];
    let search = |search: Search| {
        let search = Search {
            space: "shared".to_owned(),
            cursor: cursor.clone(),
            limit: 7,
            ..search
        };
        Ok(shop.search(&search, &Shopper::default())?.next_cursor)
    };
    let words = || LexicalQuery {
        text: "red shoes".to_owned(),
        typos: true,
        ..LexicalQuery::default()
    };
    match choice {
        b's' => Ok(shop.scroll(None, 7, cursor.as_deref(), false)?.1),
        b'S' => Ok(shop
            .scroll_sorted(None, &sort("price:desc"), 7, cursor.as_deref(), false)?
            .1),
        b'o' => search(Search {
            sort: sort("price"),
            ..Search::default()
        }),
        b'n' => search(Search::default()),
        b'w' => search(Search {
            lexical: Some(words()),
            ..Search::default()
        }),
        b'h' => search(Search {
            lexical: Some(words()),
            target: Some(Target::Vector(vec![1.0, 2.0])),
            ..Search::default()
        }),
        _ => {
            let request = json!({"user": "u1", "limit": 7, "cursor": cursor});
            let request: RecommendRequest = serde_json::from_value(request).expect("a request");
            Ok(shop.recommend(&request, None)?.next_cursor)
        }
    }
}
