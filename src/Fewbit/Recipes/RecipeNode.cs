namespace Fewbit.Recipes;

/// <summary>A value of a recipe and where it stands: a text, a map or a list.</summary>
/// <param name="Where">"recipe.yaml line 7", or the option of the command line.</param>
internal abstract record RecipeNode(string Where);

/// <summary>A text, number or flag as it is written.</summary>
internal sealed record RecipeScalar(string Text, string Where) : RecipeNode(Where);

/// <summary>Values behind each other.</summary>
internal sealed record RecipeList(IReadOnlyList<RecipeNode> Items, string Where) : RecipeNode(Where);

/// <summary>Values by key.</summary>
internal sealed record RecipeTable(Dictionary<string, RecipeNode> Items, string Where) : RecipeNode(Where);
