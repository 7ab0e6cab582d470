//! What to say of a model that int8 changes too much.

use crate::job::Products;

/// A cosine in four digits, of which one that is not accepted looks like none that is.
pub(super) fn rounded_down(cosine: f64) -> f64 {
    (cosine * 1e4).floor() / 1e4
}

/// What to do about a model that int8 changes too much.
pub(super) fn instead_of_int8(products: Products, cosine: f64) -> String {
    let others = Products {
        contract: false,
        ..products
    };
    let others: Vec<_> = others.names().map(|name| format!("\"{name}\"")).collect();
    let fewer = match (products.contract, others.len()) {
        (true, 1..) => Some(format!(
            "keep `fc2` in bf16 by `int8_products: [{}]`",
            others.join(", ")
        )),
        (false, 2..) => Some("name fewer products in `int8_products`".to_owned()),
        // One product is the least that there is.
        _ => None,
    };
    // Whatever is accepted has to be of some use.
    let accepted = (cosine * 1e3).floor() / 1e3;
    let accepted =
        (accepted > 0.9).then(|| format!("take it as it is by `accept_accuracy: {accepted}`"));
    let ways: Vec<_> = fewer.into_iter().chain(accepted).collect();
    match ways.as_slice() {
        [] => "leave `dtype` out".to_owned(),
        [way] => format!("leave `dtype` out, or {way}"),
        [first, second, ..] => format!("leave `dtype` out, {first}, or {second}"),
    }
}
