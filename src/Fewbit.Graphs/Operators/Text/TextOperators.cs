using Fewbit.Graphs.Operators.Text;

namespace Fewbit.Graphs.Operators;

/// <summary>Operators on token numbers.</summary>
internal static class TextOperators
{
    public static void Register(OperatorRegistry registry) => registry.Add("TfIdfVectorizer", TfIdfVectorizer.Parse);
}
