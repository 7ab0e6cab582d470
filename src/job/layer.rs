//! Which of a model's hidden states a script means.

/// An index into a model's hidden states, as Python writes it: 0 is the embedding output, 1 the
/// output of the first layer, −1 the last layer's output after the final layer norm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layer(pub i64);

impl Layer {
    /// The index from 0 to `layers`, where `layers` is the model's number of transformer layers,
    /// or `None` if the model has no such layer.
    ///
    /// # Examples
    /// ```
    /// use runner::job::Layer;
    ///
    /// assert_eq!(Layer(-1).resolve(33), Some(33));
    /// assert_eq!(Layer(0).resolve(33), Some(0));
    /// assert_eq!(Layer(34).resolve(33), None);
    /// ```
    pub fn resolve(self, layers: usize) -> Option<usize> {
        let states = i64::try_from(layers).ok()? + 1;
        let index = if self.0 < 0 { states + self.0 } else { self.0 };
        let index = usize::try_from(index).ok()?;
        (index <= layers).then_some(index)
    }
}
