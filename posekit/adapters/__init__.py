"""Results of other libraries as `Poses`, and back; a library is imported only to make one of its objects."""
