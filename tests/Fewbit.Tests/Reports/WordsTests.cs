using Fewbit.Reports;

namespace Fewbit.Tests.Reports;

public class WordsTests
{
    [Theory]
    [InlineData(0, "0 bytes")]
    [InlineData(999, "999 bytes")]
    [InlineData(1_000, "1.00 kB")]
    [InlineData(99_950, "100.0 kB")]
    [InlineData(1_234_567, "1.23 MB")]
    [InlineData(25_300_000_000, "25.3 GB")]
    public void Bytes_AnySize_HasThreeDigitsAndAUnit(double count, string expected) => Assert.Equal(expected, Words.Bytes(count));

    [Theory]
    [InlineData(0.0000153, "15.3 µs")]
    [InlineData(0.0153, "15.3 ms")]
    [InlineData(1.5, "1.50 s")]
    [InlineData(125, "2 min 5 s")]
    public void Time_AnyLength_HasAFittingUnit(double seconds, string expected) => Assert.Equal(expected, Words.Time(TimeSpan.FromSeconds(seconds)));

    [Theory]
    [InlineData(0.0123, "+1.2")]
    [InlineData(-0.003, "-0.3")]
    [InlineData(0, "0.0")]
    public void Points_Difference_CarriesItsSign(double share, string expected) => Assert.Equal(expected, Words.Points(share));

    [Fact]
    public void Percent_NotANumber_IsADash() => Assert.Equal("-", Words.Percent(double.NaN));
}
