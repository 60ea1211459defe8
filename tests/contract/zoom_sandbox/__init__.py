"""The Zoom sandbox behaves as the documents and measurements of Zoom say."""
