int twin_sum(int a, int b);
int twin_sum(int a, int b) { return a + b; }
