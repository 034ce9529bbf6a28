//! Rows of one product joined to an item with variants.

use serde_json::{Map, Value};
use vitrine_schemas::{Availability, Item, Variant};

use super::{cells, rules::Member};

/// Attributes that identify one variant: an item with variants does not have them itself.
const IDENTIFIERS: &[&str] = &["sku", "gtin", "mpn", "ean", "upc", "isbn", "barcode"];

/// Joins the members of a product, each a variant by its id, to `base`, which has what they share.
/// Returns the item, and the lines of members that a later one of the same id replaced.
///
/// The item has the lowest price of its variants, of which those without one have that of `base`,
/// all their images, and the values of their
/// attributes. A product of one member is an item without variants.
pub(super) fn join(mut base: Item, members: Vec<Member>) -> (Item, Vec<u64>) {
    let (mut members, superseded) = last_by_id(members);
    inherit_prices(&base, &mut members);
    base.availability = base.availability.or_else(|| availability(&members));
    for member in &members {
        share(&mut base, &member.item);
    }
    if let Some(cheapest) = cheapest(&members) {
        base.price = cheapest.price.clone();
        base.original_price = cheapest.original_price.clone();
        base.sale_price = cheapest.sale_price.clone();
    }
    let shared = shared_attributes(&members);
    if members.len() == 1 {
        base.attributes.extend(shared);
        return (base, superseded);
    }
    let union = union_of_attributes(&members, &shared);
    for (name, value) in shared.clone().into_iter().chain(union) {
        base.attributes.entry(name).or_insert(value);
    }
    base.variants = members
        .into_iter()
        .map(|member| variant(&base, &shared, member.item))
        .collect();
    (base, superseded)
}

/// Joins the members of a product as [`join`]. A single member is a variant too if its id is
/// another one than that of the product, so that it is found by it.
pub(super) fn join_with_ids(base: Item, members: Vec<Member>) -> (Item, Vec<u64>) {
    let is_only = |last: &&Member| {
        let id = &last.item.id;
        *id != base.id && members.iter().all(|member| member.item.id == *id)
    };
    let only = members.last().filter(is_only);
    let only = only.map(|member| member.item.clone());
    let (mut item, superseded) = join(base, members);
    if let Some(only) = only {
        let shared = only.attributes.clone();
        item.variants = vec![variant(&item, &shared, only)];
    }
    (item, superseded)
}

/// Keeps the last member of each id, at the place of the first.
fn last_by_id(members: Vec<Member>) -> (Vec<Member>, Vec<u64>) {
    let mut kept: Vec<Member> = Vec::with_capacity(members.len());
    let mut places = std::collections::HashMap::new();
    let mut superseded = Vec::new();
    for member in members {
        match places.get(&member.item.id) {
            Some(&place) => {
                let place: &mut Member = &mut kept[place];
                superseded.push(place.line);
                *place = member;
            }
            None => {
                places.insert(member.item.id.clone(), kept.len());
                kept.push(member);
            }
        }
    }
    (kept, superseded)
}

fn availability(members: &[Member]) -> Option<Availability> {
    use Availability::{Backorder, InStock, OutOfStock, Preorder};
    let all: Vec<_> = members.iter().map(|m| m.item.availability).collect();
    let best = [InStock, Backorder, Preorder]
        .into_iter()
        .find(|state| all.contains(&Some(*state)));
    let is_sold_out = !all.is_empty() && all.iter().all(|state| *state == Some(OutOfStock));
    best.or(is_sold_out.then_some(OutOfStock))
}

/// Takes what the item lacks from a member.
fn share(base: &mut Item, member: &Item) {
    let fields = [
        (&mut base.title, &member.title),
        (&mut base.description, &member.description),
        (&mut base.category, &member.category),
        (&mut base.brand, &member.brand),
        (&mut base.created_at, &member.created_at),
        (&mut base.expires_at, &member.expires_at),
    ];
    for (own, other) in fields {
        if own.is_none() {
            own.clone_from(other);
        }
    }
    for image in &member.images {
        if !base.images.contains(image) {
            base.images.push(image.clone());
        }
    }
}

/// Gives variants without a price the prices of the product, if others have prices of their own.
fn inherit_prices(base: &Item, members: &mut [Member]) {
    let has_price = |member: &Member| member.item.price.is_some();
    if base.price.is_none() || !members.iter().any(has_price) {
        return;
    }
    for member in members.iter_mut().filter(|member| !has_price(member)) {
        member.item.price.clone_from(&base.price);
        member.item.original_price.clone_from(&base.original_price);
        member.item.sale_price.clone_from(&base.sale_price);
    }
}

fn cheapest(members: &[Member]) -> Option<&Item> {
    let amount = |item: &Item| item.price.as_ref().map(|price| price.amount);
    let priced = members
        .iter()
        .map(|m| &m.item)
        .filter(|i| i.price.is_some());
    priced.min_by(|a, b| {
        let (a, b) = (amount(a).unwrap_or(0.0), amount(b).unwrap_or(0.0));
        a.total_cmp(&b)
    })
}

/// Returns the attributes that all members have with the same value.
fn shared_attributes(members: &[Member]) -> Map<String, Value> {
    let Some((first, rest)) = members.split_first() else {
        return Map::new();
    };
    let is_shared = |name: &str, value: &Value| {
        rest.iter()
            .all(|member| member.item.attributes.get(name) == Some(value))
    };
    let attributes = first.item.attributes.iter();
    attributes
        .filter(|(name, value)| is_shared(name, value))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}

/// Returns the values of the attributes that differ, identifiers excepted; of web addresses the
/// first.
fn union_of_attributes(members: &[Member], shared: &Map<String, Value>) -> Map<String, Value> {
    let mut union: Map<String, Value> = Map::new();
    for (name, value) in members.iter().flat_map(|m| &m.item.attributes) {
        let is_identifier = IDENTIFIERS.iter().any(|i| name.eq_ignore_ascii_case(i));
        if shared.contains_key(name) || is_identifier {
            continue;
        }
        let all = union
            .entry(name)
            .or_insert_with(|| Value::Array(Vec::new()));
        let Value::Array(all) = all else { continue };
        let one = std::slice::from_ref(value);
        for value in value.as_array().map_or(one, Vec::as_slice) {
            let is_address = value.as_str().is_some_and(|text| text.contains("://"));
            let is_new = !all.contains(value) && (!is_address || all.is_empty());
            if is_new {
                all.push(value.clone());
            }
        }
    }
    let scalar = |value| match value {
        Value::Array(values) => cells::one_or_many(values),
        other => Some(other),
    };
    let union = union.into_iter();
    union
        .filter_map(|(name, v)| Some((name, scalar(v)?)))
        .collect()
}

/// Returns a member as a variant: what differs from the item.
fn variant(base: &Item, shared: &Map<String, Value>, member: Item) -> Variant {
    let mut attributes = member.attributes;
    attributes.retain(|name, _| !shared.contains_key(name));
    Variant {
        id: member.id,
        title: member
            .title
            .filter(|title| base.title.as_ref() != Some(title)),
        price: member.price,
        original_price: member.original_price,
        sale_price: member.sale_price,
        availability: member.availability,
        images: member.images,
        attributes,
    }
}
