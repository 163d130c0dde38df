package tree

func TestX() {}
