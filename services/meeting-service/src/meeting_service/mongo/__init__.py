"""What meeting-service keeps in MongoDB: one document per session, and who has it looked at again."""
