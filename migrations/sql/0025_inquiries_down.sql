DROP TRIGGER inquiries_are_erased ON petitions;
DROP FUNCTION erase_inquiries();
DROP TABLE inquiries;
