using Fewbit.Recipes;

namespace Fewbit.Tests.Recipes;

public sealed class UnclosedRecipeTests
{
    [Theory]
    [InlineData("version: 1\ntraining:\n  optimizer: { name: sgd\n  augment: cifar\n  epochs: 3\n")]
    [InlineData("version: 1\ntraining:\n  milestones: [1, 2\n  epochs: 3\n")]
    public void Parse_BracketNotClosed_NamesTheFile(string text)
    {
        string message = Assert.Throws<InvalidDataException>(() => RecipeFile.Parse(text, "a.yaml", "training")).Message;

        Assert.StartsWith("a.yaml", message, StringComparison.Ordinal);
        Assert.Contains("is no valid YAML", message, StringComparison.Ordinal);
    }
}
