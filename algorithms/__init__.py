"""The methods: RLlib algorithms, one folder a method family."""
