//! The values of a row: those of an item, or those of a variant and, where it has none, of its
//! item.

use serde_json::Value;
use vitrine_schemas::{AttributeType, Availability, Item, Price, SalePrice, Variant};

use super::sales::Sale;

/// Filterable fields every item has beside its declared attributes.
pub(super) const BUILT_IN: [(&str, AttributeType); 8] = [
    ("availability", AttributeType::Keyword),
    ("brand", AttributeType::Keyword),
    ("category", AttributeType::Category),
    ("created_at", AttributeType::Datetime),
    ("currency", AttributeType::Keyword),
    ("expires_at", AttributeType::Datetime),
    ("on_sale", AttributeType::Bool),
    ("price", AttributeType::Float),
];

/// The values of a row.
#[derive(Clone, Copy)]
pub(super) struct RowValues<'a> {
    item: &'a Item,
    variant: Option<&'a Variant>,
}

impl<'a> RowValues<'a> {
    /// Returns the values of an item without variants.
    pub(super) fn of_item(item: &'a Item) -> Self {
        Self {
            item,
            variant: None,
        }
    }

    /// Returns the values of a variant of an item.
    pub(super) fn of_variant(item: &'a Item, variant: &'a Variant) -> Self {
        Self {
            item,
            variant: Some(variant),
        }
    }

    /// Returns the values of every row of an item, in the order of its variants.
    pub(super) fn all(item: &'a Item) -> impl Iterator<Item = Self> {
        let variants = item.variants.iter();
        let variants = variants.map(|variant| Self::of_variant(item, variant));
        let own = item.variants.is_empty().then(|| Self::of_item(item));
        own.into_iter().chain(variants)
    }

    fn own<T>(
        self,
        of_variant: impl Fn(&'a Variant) -> &'a Option<T>,
        of_item: &'a Option<T>,
    ) -> Option<&'a T> {
        let own = self
            .variant
            .and_then(|variant| of_variant(variant).as_ref());
        own.or(of_item.as_ref())
    }

    fn price(self) -> Option<&'a Price> {
        self.own(|v| &v.price, &self.item.price)
    }

    /// Returns the sale price. A variant with a price of its own has the sale of its item only if
    /// it names one.
    fn sale_price(self) -> Option<&'a SalePrice> {
        match self.variant {
            Some(variant) if variant.price.is_some() => variant.sale_price.as_ref(),
            _ => self.own(|v| &v.sale_price, &self.item.sale_price),
        }
    }

    fn original_price(self) -> Option<&'a Price> {
        match self.variant {
            Some(variant) if variant.price.is_some() => variant.original_price.as_ref(),
            _ => self.own(|v| &v.original_price, &self.item.original_price),
        }
    }

    fn availability(self) -> Option<Availability> {
        let availability = self.own(|v| &v.availability, &self.item.availability);
        availability.copied()
    }

    /// Returns true if the row is a variant that is out of stock, of an item that is not.
    pub(super) fn is_sold_out_variant(self) -> bool {
        let is_out = |row: Self| row.availability() == Some(Availability::OutOfStock);
        self.variant.is_some() && is_out(self) && !Self::all(self.item).all(is_out)
    }

    /// Returns the sale of the row, if it has one.
    pub(super) fn sale(self) -> Option<Sale> {
        let sale = self.sale_price()?;
        let amount = |price: &Price| price.amount;
        Some(Sale::new(
            sale,
            self.price().map(amount),
            self.original_price().map(amount),
        ))
    }

    /// Returns the price that is asked while the sale of the row is on or off.
    pub(super) fn asked(self, is_on: bool) -> Option<Price> {
        let regular = self.price().cloned();
        let sale = self.sale_price().filter(|_| is_on);
        sale.map_or(regular.clone(), |sale| {
            Some(Price {
                amount: sale.amount,
                currency: sale.currency.clone().or(regular?.currency),
            })
        })
    }

    /// Returns the value of a built-in field while the sale of the row is on or off.
    pub(super) fn built_in(self, name: &str, is_on: bool) -> Option<Value> {
        let text = |s: &Option<String>| s.clone().map(Value::String);
        let number = |amount: f64| serde_json::Number::from_f64(amount).map(Value::Number);
        match name {
            "brand" => text(&self.item.brand),
            "category" => text(&self.item.category),
            "created_at" => text(&self.item.created_at),
            "expires_at" => text(&self.item.expires_at),
            "currency" => {
                let currency = |price: &Price| price.currency.clone();
                let sale = || self.sale_price().and_then(|sale| sale.currency.clone());
                self.price()
                    .and_then(currency)
                    .or_else(sale)
                    .map(Value::String)
            }
            "price" => number(self.asked(is_on)?.amount),
            "on_sale" => {
                let asked = self.asked(is_on)?.amount;
                let is_reduced = self.original_price().is_some_and(|p| p.amount > asked);
                Some(Value::Bool(is_on || is_reduced))
            }
            "availability" => {
                let availability = self.availability()?;
                if self.is_sold_out_variant() {
                    return None;
                }
                Some(Value::from(match availability {
                    Availability::InStock => "in_stock",
                    Availability::OutOfStock => "out_of_stock",
                    Availability::Preorder => "preorder",
                    Availability::Backorder => "backorder",
                }))
            }
            _ => None,
        }
    }

    /// Returns the attributes by name: those of the item that the variant does not replace, then
    /// those of the variant.
    pub(super) fn attributes(self) -> impl Iterator<Item = (&'a String, &'a Value)> {
        let own = self.variant.map(|variant| &variant.attributes);
        let is_replaced = move |name: &String| own.is_some_and(|own| own.contains_key(name));
        let inherited = self.item.attributes.iter();
        let inherited = inherited.filter(move |(name, _)| !is_replaced(name));
        inherited.chain(own.into_iter().flatten())
    }

    /// Returns an attribute by the name that a request gives, with or without `prefix`.
    pub(super) fn attribute(self, key: &str, prefix: &str) -> Option<&'a Value> {
        let find = |name: &str| {
            let own = self
                .variant
                .and_then(|variant| variant.attributes.get(name));
            own.or_else(|| self.item.attributes.get(name))
        };
        find(key).or_else(|| find(key.strip_prefix(prefix)?))
    }
}

/// Returns the scalars of a value: the elements of an array, or the value itself.
pub(super) fn scalars(value: &Value) -> &[Value] {
    match value {
        Value::Array(all) => all,
        one => std::slice::from_ref(one),
    }
}
