//! The vault file.
#[derive(Debug, Clone)]
pub enum StoreError {}
impl std::fmt::Display for StoreError {
    fn fmt(&self, _: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        Ok(())
    }
}
