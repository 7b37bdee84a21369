"""What people see and correct: `reeltag serve`, its pages and the API that they use."""
