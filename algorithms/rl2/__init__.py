"""RL²: a recurrent policy that learns within a trial of several episodes."""
